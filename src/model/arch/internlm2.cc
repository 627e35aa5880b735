// InternLM2 (Shanghai AI Laboratory, 2024): a Llama under names of its own, whose queries, keys
// and values are one tensor: of each key head its queries, its key and its value. The row is
// kInternLm2.
// Pure functions. Called by the registry.
#include "model/arch/decoder.h"

namespace quire {
namespace {

void rename_tensors(const DecoderConfig& c, TensorRules& rules) {
  const auto head = static_cast<std::size_t>(c.head_dim);
  const std::size_t kv = static_cast<std::size_t>(c.kv_heads);
  const std::size_t queries = static_cast<std::size_t>(c.heads / c.kv_heads) * head;
  const std::size_t every = queries + 2 * head, total = kv * every;
  rule_of(rules, "embed").hf = "model.tok_embeddings.weight";
  if (!c.has_tied_head) rule_of(rules, "head").hf = "output.weight";
  for (int i = 0; i < c.layers; ++i) {
    const auto set = [&](const char* name, Stored hf) {
      rule_of(rules, layer_name(i, name)).hf = std::move(hf);
    };
    const Stored fused = hf_layer_name(i, "attention.wqkv.weight");
    set("q", fused.runs(0, queries, every, total));
    set("k", fused.runs(queries, head, every, total));
    set("v", fused.runs(queries + head, head, every, total));
    set("o", hf_layer_name(i, "attention.wo.weight"));
    set("gate", hf_layer_name(i, "feed_forward.w1.weight"));
    set("up", hf_layer_name(i, "feed_forward.w3.weight"));
    set("down", hf_layer_name(i, "feed_forward.w2.weight"));
  }
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6, .is_woven_in_gguf = true});
  fields.refuse({"bias", ""});
  c.names.attn_norm = "attention_norm";
  c.names.ffn_norm = "ffn_norm";
  c.rename = rename_tensors;
  return c;
}

}  // namespace

extern const Architecture kInternLm2;
constexpr Architecture kInternLm2 = {
    "internlm2",
    {"internlm2"},
    {},
    kDecoderDesign<read>,
    {
     {"tiny-internlm2",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

}  // namespace quire
