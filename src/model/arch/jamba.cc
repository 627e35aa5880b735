// Jamba (AI21, 2024): Mamba's first state space with norms of steps, keys and queries, a layer of
// attention without positions in every eight, and after each an MLP or, in every second layer,
// experts whose weights are not made to sum to one.
// Pure functions.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/hybrid_decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

// A file of Hugging Face says every how many layers, from which on; GGUF by key heads, and by which
// tensors there are.
void read_layers(const ConfigFields& fields, const std::vector<bool>& attends, HybridConfig& c) {
  const auto offset_of = [&](const char* period, const char* offset, int every, int first) {
    const int n = fields.integer({period, ""}, 1, kLayersMax, every);
    return std::pair(n, fields.integer({offset, ""}, 0, n - 1, std::min(first, n - 1)));
  };
  const auto [attention, attention_first] =
      offset_of("attn_layer_period", "attn_layer_offset", 8, 4);
  const auto [experts, experts_first] =
      offset_of("expert_layer_period", "expert_layer_offset", 2, 1);
  fields.mark({"layers_block_type", ""});  // what the period says
  fields.mark({"layer_types", ""});
  fields.mark({"layers_num_experts", ""});
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    const auto at = static_cast<int>(i);
    HybridLayer& layer = c.layers[i];
    layer.has_attention = at % attention == attention_first;
    bool has_experts = at % experts == experts_first && c.router.experts > 1;
    if (fields.is_gguf()) {
      layer.has_attention = attends[i];
      const std::string router = "blk." + std::to_string(i) + ".ffn_gate_inp.weight";
      has_experts = fields.tensor({"", router}) != nullptr;
    }
    layer.mixer = layer.has_attention ? Mixer::kNone : Mixer::kMamba;
    layer.feed = has_experts ? FeedForward::kExperts : FeedForward::kMlp;
  }
}

HybridConfig read(const ConfigFields& fields, int vocab) {
  HybridConfig c = read_hybrid(fields, vocab, {.eps = 1e-6, .context = 262144});
  c.router.experts = fields.integer({"num_experts", "expert_count"}, 0, kExpertsMax,
                                    fields.is_gguf() ? 0 : 16);
  const Key used = {"num_experts_per_tok", "expert_used_count"};
  fields.mark(used);
  if (c.router.experts > 0) {
    c.router.used = fields.integer(used, 1, c.router.experts, std::min(2, c.router.experts));
  }
  read_layers(fields, read_hybrid_heads(fields, c), c);
  fields.refuse({"sliding_window", ""});
  read_mamba(fields, {.state = "mamba_d_state", .width = "mamba_d_conv", .expand = "mamba_expand",
                      .rank = "mamba_dt_rank", .conv_bias = "mamba_conv_bias",
                      .bias = "mamba_proj_bias"}, c);
  c.inner_norm = Norm::Kind::kRms;
  c.inner_eps = c.eps;
  if (!fields.boolean({"mamba_inner_layernorms", ""}, true)) {
    fields.fail(error(StatusCode::kUnsupported, "{}: false is not supported",
                      fields.name_of({"mamba_inner_layernorms", ""})));
  }
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  c.expert_ffn = c.ffn;
  c.activation = read_activation(fields, "hidden_act", "silu");
  fields.mark({"num_logits_to_keep", ""});  // of generation
  fields.mark({"calc_logits_for_entire_prompt", ""});
  fields.mark({"n_ctx", ""});  // of training
  fields.mark({"use_mambapy", ""});  // how another program computes the recurrence
  fields.mark({"use_associative_scan", ""});
  c.names.ffn_norm = "pre_ff_layernorm.weight";
  c.names.final_norm = "final_layernorm.weight";
  c.names.mlp = "feed_forward.";
  return c;
}

}  // namespace

extern const Architecture kJamba;
constexpr Architecture kJamba = {
    "jamba",
    {"jamba"},
    {},
    kHybridDesign<read>,
    {
     {"tiny-jamba",
      R"({"hidden_size":160,"num_hidden_layers":4,"num_attention_heads":5,"num_key_value_heads":1,
"intermediate_size":96,"num_experts":6,"num_experts_per_tok":2,"expert_layer_period":2,
"expert_layer_offset":1,"attn_layer_period":4,"attn_layer_offset":2,"mamba_d_state":12,
"mamba_d_conv":4,"mamba_expand":2,"mamba_dt_rank":32,"vocab_size":517,
"max_position_embeddings":2048,"rms_norm_eps":1e-6})"},
    }};

}  // namespace quire
