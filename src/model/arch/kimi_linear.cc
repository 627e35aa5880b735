// Kimi Linear (Moonshot AI, 2025): three layers of Kimi's delta attention for one of latent
// attention that no position turns, and experts as in DeepSeek-V3 but for the first layers.
// Pure functions.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/hybrid_decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

void set_mixers(const std::vector<bool>& attends, HybridConfig& c) {
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    c.layers[i] = {attends[i], attends[i] ? Mixer::kNone : Mixer::kKimiDelta, FeedForward::kMlp};
  }
}

// Layers without key heads are recurrent; how many heads they have is told by their tensors.
void read_gguf_layers(const ConfigFields& fields, HybridConfig& c) {
  const auto layers = static_cast<int>(c.layers.size());
  std::vector<bool> attends;
  c.delta.heads = fields.integer("attention.head_count", 1, kHeadsMax);
  for (const int heads :
       fields.integers_per_layer("attention.head_count_kv", layers, 0, kHeadsMax)) {
    const TensorView* beta =
        fields.tensor({"", fmt::format("blk.{}.ssm_beta.weight", attends.size())});
    if (beta != nullptr && !beta->shape.empty() && beta->shape[0] <= kHeadsMax) {
      c.delta.heads = std::max(1, static_cast<int>(beta->shape[0]));
    }
    attends.push_back(heads > 0);
  }
  c.delta.head_dim = fields.integer("kda.head_dim", 1, kHeadDimMax);
  c.delta.width = fields.integer("ssm.conv_kernel", 2, kConvWidthMax);
  set_mixers(attends, c);
}

// By words, or by the numbers of layers in an object, counted from one.
void read_layers(const ConfigFields& fields, HybridConfig& c) {
  const auto layers = static_cast<int>(c.layers.size());
  std::vector<bool> attends = read_layer_words(fields, "layer_types", layers, {"full_attention"},
                                               {"linear_attention"});
  const auto inside = fields.object("linear_attn_config");
  if (inside) {
    const std::vector<int> full = inside->integers("full_attn_layers", 1, layers);
    inside->mark("kda_layers");  // the others
    if (attends.empty() && !full.empty()) {
      attends.assign(c.layers.size(), false);
      for (const int layer : full) attends[static_cast<std::size_t>(layer - 1)] = true;
    }
  }
  for (int i = static_cast<int>(attends.size()); i < layers; ++i) {
    attends.push_back(i > 0 && i % 4 == 0);
  }
  const auto number = [&](const char* plain, const char* within, int min, int max, int fallback) {
    const int value = fields.integer(plain, min, max, fallback);
    return inside ? inside->integer(within, min, max, value) : value;
  };
  c.delta.heads = number("linear_num_heads", "num_heads", 1, kHeadsMax, 32);
  c.delta.head_dim = number("linear_head_dim", "head_dim", 1, kHeadDimMax, 128);
  c.delta.width = number("linear_conv_kernel_dim", "short_conv_kernel_size", 2, kConvWidthMax, 4);
  set_mixers(attends, c);
}

void read_latents(const ConfigFields& fields, HybridConfig& c) {
  MlaShape& mla = c.mla;
  mla.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax);
  mla.kv_rank = fields.integer({"kv_lora_rank", "attention.kv_lora_rank"}, 1, kHeadDimMax);
  mla.q_rank = fields.integer({"q_lora_rank", "attention.q_lora_rank"}, 0, kModelWidthMax, 0);
  mla.rope = fields.integer({"qk_rope_head_dim", "rope.dimension_count"}, 1, kHeadDimMax);
  const Key value = {"v_head_dim", "attention.value_length_mla"};
  mla.value = fields.integer(value, 1, kHeadDimMax);
  mla.nope = fields.is_gguf() ? fields.integer("attention.key_length_mla", mla.rope + 1,
                                               kHeadDimMax) - mla.rope
                              : fields.integer("qk_nope_head_dim", 1, kHeadDimMax);
  for (const char* name : {"attention.key_length", "attention.value_length", "rope.freq_base"}) {
    fields.mark({"", name});  // implied by the latent; and no position turns anything
  }
  if (mla.kv_rank + mla.rope > kHeadDimMax) {
    fields.fail(error(StatusCode::kUnsupported, "a latent of {} and a key of {} values",
                      mla.kv_rank, mla.rope));
  }
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    if (!c.layers[i].has_attention) continue;
    check_latent_heads(fields, static_cast<int>(i), mla.nope + mla.rope, mla.kv_rank);
  }
  fields.refuse("attention_bias");
  if (!fields.boolean("mla_use_nope", true)) {
    fields.fail(error(StatusCode::kUnsupported, "{}: false is not supported",
                      fields.name_of("mla_use_nope")));
  }
  c.inner_eps = 1e-6f;  // of the norms inside, whatever the others have
  // No position turns anything; the latent implies the rest.
  for (const char* name : {"rope_theta", "rope_scaling", "rope_parameters", "num_key_value_heads",
                           "head_dim", "qk_head_dim"}) {
    fields.mark(name);
  }
}

void read_experts(const ConfigFields& fields, HybridConfig& c) {
  const auto either = [&](const char* name, const char* other) {
    fields.mark(name);
    fields.mark(other);
    return fields.has(name) ? name : other;
  };
  Router& r = c.router;
  r.experts =
      fields.integer({either("num_experts", "num_local_experts"), "expert_count"}, 1, kExpertsMax);
  r.used = fields.integer(
      {either("num_experts_per_token", "num_experts_per_tok"), "expert_used_count"}, 1, r.experts);
  r.is_sigmoid = r.is_group_by_two = true;
  r.is_renormalised = fields.boolean(
      {either("moe_renormalize", "norm_topk_prob"), "expert_weights_norm"}, true);
  r.scale = static_cast<float>(
      fields.number({"routed_scaling_factor", "expert_weights_scale"}, 1e-6, 1e6, 2.446));
  const Key groups = {either("num_expert_group", "n_group"), "expert_group_count"};
  r.groups = fields.integer(groups, 1, r.experts, 1);
  r.groups_kept = fields.integer({"topk_group", "expert_group_used_count"}, 1, r.groups, 1);
  if (r.experts % r.groups != 0 || r.experts / r.groups < 2) {
    fields.fail(error(StatusCode::kCorrupt, "{} experts in {} groups", r.experts, r.groups));
  }
  fields.refuse_unless({"moe_router_activation_func", ""}, "sigmoid");
  fields.refuse_unless({"", "expert_gating_func"}, 2);  // the same
  fields.mark("use_grouped_topk");  // as the number of groups says
  fields.refuse_unless("moe_layer_freq", 1);
  c.has_correction = true;
  c.expert_ffn =
      fields.integer({"moe_intermediate_size", "expert_feed_forward_length"}, 1, kFfnMax);
  const Key shared = {either("num_shared_experts", "n_shared_experts"), "expert_shared_count"};
  c.shared_ffn = c.expert_ffn * fields.integer(shared, 0, 64, 1);
  const auto layers = static_cast<int>(c.layers.size());
  const int plain = fields.integer({"first_k_dense_replace", "leading_dense_block_count"}, 0,
                                   layers, std::min(1, layers));
  const std::vector<bool> named =
      read_layer_words(fields, "mlp_layer_types", layers, {"dense"}, {"sparse"});
  for (int i = 0; i < layers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const bool is_plain = named.empty() ? i < plain : named[at];
    c.layers[at].feed = is_plain ? FeedForward::kMlp : FeedForward::kExperts;
  }
}

// A layer's block is called alike where its names say what it is.
void rename(const HybridConfig&, TensorRules& rules) {
  for (TensorRule& rule : rules.rules) {
    const std::size_t at = rule.hf.name.find(".block_sparse_moe.");
    if (at == std::string::npos) continue;
    Stored other = rule.hf;
    other.name.replace(at, std::string_view(".block_sparse_moe.").size(), ".mlp.");
    rule.others.push_back(std::move(other));
  }
}

HybridConfig read(const ConfigFields& fields, int vocab) {
  HybridConfig c = read_hybrid(fields, vocab, {.context = 1 << 20});
  if (!fields.is_gguf() && !fields.has("max_position_embeddings")) {
    c.context_max = fields.integer("model_max_length", 1, kContextMax, 1 << 20);
  }
  fields.mark("model_max_length");
  fields.is_gguf() ? read_gguf_layers(fields, c) : read_layers(fields, c);
  read_latents(fields, c);
  read_experts(fields, c);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  fields.refuse_unless("hidden_act", "silu");
  fields.mark("num_nextn_predict_layers");  // of drafts, whose tensors are left out
  c.names.mixer = "self_attn.";
  c.names.mlp = "block_sparse_moe.";
  c.names.router = "gate.weight";
  c.names.expert_gate = "w1";
  c.names.expert_up = "w3";
  c.names.expert_down = "w2";
  c.rename = rename;
  return c;
}

}  // namespace

extern const Architecture kKimiLinear;
constexpr Architecture kKimiLinear = {
    "kimi_linear",
    {"kimi_linear", "kimi-linear"},
    {},
    kHybridDesign<read>,
    {
     {"tiny-kimi-linear",
      R"({"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":4,"intermediate_size":160,
"kv_lora_rank":64,"qk_nope_head_dim":32,"qk_rope_head_dim":32,"v_head_dim":32,
"linear_num_heads":4,"linear_head_dim":32,"layer_types":["linear_attention","full_attention",
"linear_attention","linear_attention"],"num_experts":6,"num_experts_per_token":2,
"moe_intermediate_size":96,"num_shared_experts":1,"vocab_size":517,
"model_max_length":2048,"rms_norm_eps":1e-5})"},
    }};

}  // namespace quire
