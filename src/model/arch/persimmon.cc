// Persimmon (Adept, 2023): LayerNorm, biases everywhere, a norm of each query and key head, half of
// which turns, and a squared ReLU. Queries, keys and values are one matrix, woven head by head. The
// row is kPersimmon.
// Pure functions. Called by the registry.
#include "model/arch/decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

DecoderConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "persimmon");
  DecoderConfig c = read_decoder(fields, vocab, {.keys = {.head_dim = ""},
                                                 .sizes = {.ffn_widths = 4},
                                                 .eps_name = "layer_norm_eps",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation = "relu2",
                                                 .rope = {.partial = 0.5}, .is_tied = false,
                                                 .has_own_biases = true});
  if (c.kv_heads != c.heads) fields.refuse_unless({"num_key_value_heads", ""}, c.heads);
  c.is_gated = false;
  c.has_norm_biases = c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
  if (fields.boolean({"qk_layernorm", ""}, true)) {
    c.head_norms = QueryNorms::kEach;
    c.has_head_norm_biases = true;
  }
  c.names.final_norm = "model.final_layernorm";
  c.names.q_norm = "self_attn.q_layernorm";
  c.names.k_norm = "self_attn.k_layernorm";
  c.names.o = "self_attn.dense";
  c.names.mlp_up = "mlp.dense_h_to_4h";
  c.names.mlp_down = "mlp.dense_4h_to_h";
  weave_heads("self_attn.query_key_value", c);
  return c;
}

}  // namespace

extern const Architecture kPersimmon;
constexpr Architecture kPersimmon = {
    "persimmon",
    {"persimmon"},
    {},
    kDecoderDesign<read>,
    {
     {"persimmon-8b",
      R"({"hidden_size":4096,"num_hidden_layers":36,"num_attention_heads":64,
"intermediate_size":16384,"max_position_embeddings":16384,"rope_theta":25000,
"vocab_size":262144})"},
     {"tiny-persimmon",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"intermediate_size":152,
"max_position_embeddings":2048,"vocab_size":331})"},
    }};

}  // namespace quire
