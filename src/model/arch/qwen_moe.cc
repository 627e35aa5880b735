// Qwen2-MoE (Qwen Team, "Qwen1.5-MoE", 2024): Qwen2 whose blocks are a choice of experts, beside
// one that every token goes through, weighed by a gate of its own. The row is kQwen2Moe.
// Pure functions. Called by the registry.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

DecoderConfig read(const ConfigFields& fields, int vocab) {
  const bool has_bias = fields.boolean({"qkv_bias", ""}, true);
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6, .has_qkv_bias = has_bias});
  read_layer_experts(fields, "num_experts", "moe_intermediate_size", c);
  c.router.is_renormalised = fields.boolean({"norm_topk_prob", ""}, false);
  c.shared_ffn = fields.integer(
      {"shared_expert_intermediate_size", "expert_shared_feed_forward_length"}, 1, kFfnMax);
  c.has_shared_scale = true;
  c.names.shared = "mlp.shared_expert.";
  const int step = fields.integer({"decoder_sparse_step", ""}, 1, kLayersMax, 1);
  const std::vector<int> plain = fields.integers({"mlp_only_layers", ""}, 0, kLayersMax);
  for (int i = 0; i < c.layers; ++i) {
    const bool is_listed = std::find(plain.begin(), plain.end(), i) != plain.end();
    c.has_experts[static_cast<std::size_t>(i)] = !is_listed && (i + 1) % step == 0;
  }
  fields.refuse({"use_sliding_window", ""});
  for (const char* name : {"sliding_window", "max_window_layers"}) {
    fields.mark({name, ""});  // they mean something with the switch only
  }
  check_layer_types(fields, "full_attention");
  return c;
}

}  // namespace

extern const Architecture kQwen2Moe;
constexpr Architecture kQwen2Moe = {
    "qwen2_moe",
    {"qwen2_moe", "qwen2moe"},
    {},
    kDecoderDesign<read>,
    {
     {"tiny-qwen2-moe",
      R"({"hidden_size":128,"num_hidden_layers":3,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"moe_intermediate_size":64,"num_experts":8,
"num_experts_per_tok":3,"shared_expert_intermediate_size":96,"mlp_only_layers":[1],
"vocab_size":331,"max_position_embeddings":2048,"tie_word_embeddings":false,
"rope_theta":10000})"},
    }};

}  // namespace quire
