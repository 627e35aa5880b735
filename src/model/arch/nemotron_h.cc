// Nemotron-H (NVIDIA, 2025) and Nemotron 3: each layer is one block alone: Mamba-2, attention
// without positions, an MLP of the squared ReLU, or experts of it. A pattern of letters says which,
// M, *, - and E, or a list of words; in GGUF key heads and the width of an MLP do, whose layers are
// of experts where the file has any, and what drafts is one layer more.
// Pure functions.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/hybrid_decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

HybridLayer layer_of(char letter) {
  if (letter == 'M') return {false, Mixer::kMamba2, FeedForward::kNone};
  if (letter == '*') return {true, Mixer::kNone, FeedForward::kNone};
  if (letter == '-') return {false, Mixer::kNone, FeedForward::kMlp};
  return {false, Mixer::kNone, FeedForward::kExperts};
}

char letter_of(const std::string& word) {
  if (word == "mamba" || word == "linear_attention") return 'M';
  if (word == "attention" || word == "full_attention") return '*';
  if (word == "mlp") return '-';
  return word == "moe" ? 'E' : '?';
}

// A letter of each layer.
std::string read_pattern(const ConfigFields& fields) {
  std::vector<std::string> words = fields.strings({"layers_block_type", ""});
  const std::vector<std::string> others = fields.strings({"layer_types", ""});
  if (words.empty()) words = others;
  std::string pattern = fields.string({"hybrid_override_pattern", ""}, "");
  if (!words.empty()) pattern.clear();
  for (const std::string& word : words) pattern += letter_of(word);
  const std::size_t odd = pattern.find_first_not_of("M*-E");
  if (odd == std::string::npos) return pattern;
  fields.fail(error(StatusCode::kUnsupported, "{}: layer {} is of a kind that is not supported",
                    fields.name_of({words.empty() ? "hybrid_override_pattern" : "layers_block_type",
                                    ""}), odd));
  return "";
}

void read_layers(const ConfigFields& fields, const std::string& pattern,
                 const std::vector<bool>& attends, HybridConfig& c) {
  const std::size_t count = c.layers.size();
  const Key ffn = {"intermediate_size", "feed_forward_length"};
  if (fields.is_gguf()) {
    const std::vector<int> widths =
        fields.integers_per_layer(ffn, static_cast<int>(count), 0, kFfnMax);
    const bool has_experts = fields.integer({"", "expert_count"}, 0, kExpertsMax, 0) > 0;
    for (std::size_t i = 0; i < count; ++i) {
      const int width = i < widths.size() ? widths[i] : 0;
      const char block = has_experts ? 'E' : '-';
      c.layers[i] = layer_of(attends[i] ? '*' : width > 0 ? block : 'M');
      if (!has_experts) c.ffn = std::max(c.ffn, width);
    }
    const Key drafts = {"", "nextn_predict_layers"};
    c.draft_layers = fields.integer(drafts, 0, std::max(static_cast<int>(count) - 1, 1), 0);
    c.layers.resize(count - std::min(count - 1, static_cast<std::size_t>(c.draft_layers)));
    return;
  }
  if (pattern.size() != count) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}",
                             fields.name_of("hybrid_override_pattern"), pattern.size(), count));
  }
  for (std::size_t i = 0; i < count; ++i) c.layers[i] = layer_of(pattern[i]);
  fields.mark(ffn);
  if (c.layers_of(FeedForward::kMlp) > 0) c.ffn = fields.integer(ffn, 1, kFfnMax);
}

void read_experts(const ConfigFields& fields, HybridConfig& c) {
  for (const char* name : {"n_routed_experts", "num_local_experts", "n_shared_experts",
                           "moe_intermediate_size", "moe_shared_expert_intermediate_size",
                           "num_experts_per_tok", "routed_scaling_factor", "n_group", "topk_group",
                           "norm_topk_prob", "moe_latent_size", "moe_shared_expert_overlap"}) {
    fields.mark({name, ""});
  }
  if (c.layers_of(FeedForward::kExperts) == 0) return;
  fields.refuse("moe_latent_size");
  Router& r = c.router;
  const Key groups = {"n_group", "expert_group_count"};
  r.experts = fields.integer({"n_routed_experts", "expert_count"}, 1, kExpertsMax);
  r.used = fields.integer({"num_experts_per_tok", "expert_used_count"}, 1, r.experts);
  r.is_sigmoid = r.is_group_by_two = true;
  r.is_renormalised = fields.boolean({"norm_topk_prob", "expert_weights_norm"}, true);
  r.scale = static_cast<float>(
      fields.number({"routed_scaling_factor", "expert_weights_scale"}, 1e-6, 1e6, 1.0));
  r.groups = fields.integer(groups, 1, r.experts, 1);
  r.groups_kept = fields.integer({"topk_group", "expert_group_used_count"}, 1, r.groups, 1);
  if (r.experts % r.groups != 0 || r.experts / r.groups < 2) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} experts in {} groups", fields.name_of(groups),
                      r.experts, r.groups));
  }
  fields.refuse_unless({"", "expert_gating_func"}, 2);  // sigmoids
  fields.mark({"", "expert_shared_count"});             // one, whose width is said
  c.has_correction = true;
  c.expert_ffn =
      fields.integer({"moe_intermediate_size", "expert_feed_forward_length"}, 1, kFfnMax);
  const Key shared = {"moe_shared_expert_intermediate_size", "expert_shared_feed_forward_length"};
  c.shared_ffn = fields.integer(shared, 1, kFfnMax);
}

void name_parts(HybridConfig& c) {
  HybridNames& n = c.names;
  n.stem = "backbone.";  // as transformers 4 and its makers write it
  n.other_stem = "model.";
  n.embed = "embeddings.weight";
  n.final_norm = "norm_f.weight";
  n.mixer_norm = n.ffn_norm = "norm.weight";
  n.gguf_ffn_norm = "attn_norm.weight";
  n.mixer = n.attention = n.mlp = "mixer.";
  n.router = "gate.weight";
}

HybridConfig read(const ConfigFields& fields, int vocab) {
  // Of a head that drafts, whose tensors are left out; of training; of how states are kept.
  for (const char* name : {"mtp_layers_block_type", "mtp_hybrid_override_pattern",
                           "num_nextn_predict_layers", "rescale_prenorm_residual",
                           "residual_in_fp32", "time_step_floor", "time_step_max",
                           "time_step_min", "time_step_rank", "mamba_ssm_cache_dtype",
                           "num_logits_to_keep", "rope_theta", "partial_rotary_factor",
                           "norm_eps"}) {
    fields.mark({name, ""});
  }
  for (const char* name : {"rope.scaling.finetuned", "rope.dimension_count", "rope.freq_base"}) {
    fields.mark({"", name});  // no position turns anything
  }
  fields.refuse({"mamba_proj_bias", ""});
  const std::string pattern = fields.is_gguf() ? "" : read_pattern(fields);
  HybridDefaults defaults = {.eps_name = "layer_norm_epsilon"};
  if (!fields.has({"layer_norm_epsilon", ""})) defaults.eps_name = "rms_norm_eps";
  fields.mark({"rms_norm_eps", ""});
  defaults.layers = static_cast<int>(pattern.size());  // transformers 5 says their list alone
  HybridConfig c = read_hybrid(fields, vocab, defaults);
  fields.mark("attention_head_dim");
  const std::vector<bool> attends = read_hybrid_heads(fields, c);
  read_layers(fields, pattern, attends, c);
  c.is_gated = false;
  read_experts(fields, c);
  fields.refuse({"attention_bias", ""});
  fields.refuse({"sliding_window", ""});
  read_mamba2(fields, {.heads = "mamba_num_heads", .head_dim = "mamba_head_dim",
                       .groups = "n_groups", .state = "ssm_state_size", .width = "conv_kernel",
                       .expand = "expand", .conv_bias = "use_conv_bias", .in_bias = "use_bias",
                       .out_bias = "use_bias", .chunk = "chunk_size", .is_free = true}, c);
  read_step_limit(fields, c);
  c.has_mlp_bias = fields.boolean({"mlp_bias", ""}, false);
  fields.refuse_unless({"mamba_hidden_act", ""}, "silu");
  c.activation = fields.is_gguf() ? Activation::kReluSquared
                                  : read_activation(fields, "mlp_hidden_act", "relu2");
  name_parts(c);
  return c;
}

}  // namespace

extern const Architecture kNemotronH;
constexpr Architecture kNemotronH = {
    "nemotron_h",
    {"nemotron_h", "nemotron_h_moe"},
    {},
    kHybridDesign<read>,
    {
     {"tiny-nemotron-h",
      R"({"hidden_size":256,"num_hidden_layers":5,"hybrid_override_pattern":"M-M*-",
"num_attention_heads":8,"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,
"mamba_num_heads":12,"mamba_head_dim":32,"n_groups":2,"ssm_state_size":40,"conv_kernel":4,
"vocab_size":517,"max_position_embeddings":2048,"layer_norm_epsilon":1e-5})"},
     {"tiny-nemotron-h-moe",
      R"({"hidden_size":256,"num_hidden_layers":4,"hybrid_override_pattern":"ME*E",
"num_attention_heads":8,"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,
"mamba_num_heads":12,"mamba_head_dim":32,"n_groups":2,"ssm_state_size":40,"conv_kernel":4,
"n_routed_experts":6,"num_experts_per_tok":2,"moe_intermediate_size":96,
"moe_shared_expert_intermediate_size":64,"routed_scaling_factor":1.5,
"vocab_size":517,"max_position_embeddings":2048,"layer_norm_epsilon":1e-5})"},
    }};

}  // namespace quire
