// InternLM2 (Shanghai AI Laboratory, 2024): a Llama under names of its own, whose queries, keys
// and values are one tensor: of each key head its queries, its key and its value. The row is
// kInternLm2.
// Pure functions. Called by the registry.
#include "model/arch/decoder.h"

namespace quire {
namespace {

DecoderConfig read(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6, .is_woven_in_gguf = true});
  fields.refuse({"bias", ""});
  c.names.attn_norm = "attention_norm";
  c.names.ffn_norm = "ffn_norm";
  c.names.table = "model.tok_embeddings";
  c.names.head = "output";
  c.names.o = "attention.wo";
  c.names.mlp_gate = "feed_forward.w1";
  c.names.mlp_up = "feed_forward.w3";
  c.names.mlp_down = "feed_forward.w2";
  weave_heads("attention.wqkv", c);
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
