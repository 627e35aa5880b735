// Granite 3 (IBM, 2024): a Llama whose embedding, scores, block outputs and logits are multiplied
// by numbers of the configuration; with experts (GraniteMoE), and with one more that every token
// goes through (GraniteMoeShared). Both halves of an expert's way in are one tensor. The rows are
// kGranite and kGraniteMoe. Granite 4 is granite_hybrid.cc.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

void read_multipliers(const ConfigFields& fields, DecoderConfig& c) {
  c.embedding_scale = read_scale(fields, {"embedding_multiplier", "embedding_scale"});
  c.residual_scale = read_scale(fields, {"residual_multiplier", "residual_scale"});
  c.logit_scale = 1 / read_scale(fields, {"logits_scaling", "logit_scale"});
  const Key score = {"attention_multiplier", "attention.scale"};
  if (!fields.is_gguf() || fields.has(score)) c.score_scale = read_scale(fields, score);
}

DecoderConfig read_dense(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6, .is_woven_in_gguf = true});
  read_multipliers(fields, c);
  return c;
}

void fuse_experts(const DecoderConfig& c, TensorRules& rules) {
  const auto f = static_cast<std::size_t>(c.expert_ffn);
  const auto shared = static_cast<std::size_t>(c.shared_ffn);
  for (int i = 0; i < c.layers; ++i) {
    const auto set = [&](const char* name, Stored hf, Stored other) {
      TensorRule& rule = rule_of(rules, layer_name(i, name));
      rule.hf = std::move(hf);
      rule.others = {std::move(other)};
    };
    const auto at = [&](const char* name) { return Stored(hf_layer_name(i, name)); };
    const Stored in = at("block_sparse_moe.input_linear.weight");
    const Stored fused = at("block_sparse_moe.experts.gate_up_proj");
    set("router", at("block_sparse_moe.router.layer.weight"), at("block_sparse_moe.router.weight"));
    set("experts_gate", in.rows(0, 2 * f), fused.rows(0, 2 * f));
    set("experts_up", in.rows(f, 2 * f), fused.rows(f, 2 * f));
    set("experts_down", at("block_sparse_moe.output_linear.weight"),
        at("block_sparse_moe.experts.down_proj"));
    if (shared == 0) continue;
    const Stored both = at("shared_mlp.input_linear.weight");
    rule_of(rules, layer_name(i, "shared_gate")).hf = both.rows(0, 2 * shared);
    rule_of(rules, layer_name(i, "shared_up")).hf = both.rows(shared, 2 * shared);
    rule_of(rules, layer_name(i, "shared_down")).hf = at("shared_mlp.output_linear.weight");
  }
}

DecoderConfig read_experts(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_dense(fields, vocab);
  read_layer_experts(fields, "num_local_experts", "", c);
  c.router.is_renormalised = true;  // a softmax of the chosen
  c.shared_ffn = fields.integer({"shared_intermediate_size", "expert_shared_feed_forward_length"},
                                0, kFfnMax, 0);
  c.rename = fuse_experts;
  return c;
}

}  // namespace

extern const Architecture kGranite;
constexpr Architecture kGranite = {
    "granite",
    {"granite"},
    {},
    kDecoderDesign<read_dense>,
    {
     {"tiny-granite-dense",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,"embedding_multiplier":2,
"residual_multiplier":0.5,"attention_multiplier":0.25,"logits_scaling":2,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kGraniteMoe;
constexpr Architecture kGraniteMoe = {
    "granitemoe",
    {"granitemoe", "granitemoeshared"},
    {},
    kDecoderDesign<read_experts>,
    {
     {"tiny-granite-experts",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":64,"vocab_size":331,"num_local_experts":6,
"num_experts_per_tok":2,"shared_intermediate_size":96,"embedding_multiplier":2,
"residual_multiplier":0.5,"attention_multiplier":0.25,"logits_scaling":2,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

}  // namespace quire
