// Persimmon (Adept, 2023): LayerNorm, biases everywhere, a norm of each query and key head, half of
// which turns, and a squared ReLU. Queries, keys and values are one matrix, woven head by head. The
// row is kPersimmon. Pure functions over PlainDecoder.
#include "model/arch/plain_decoder.h"

namespace quire {
namespace {

PlainConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "persimmon");
  PlainConfig c = read_plain(fields, vocab, {.activation_default = "relu2"});
  if (c.kv_heads != c.heads) fields.refuse_unless({"num_key_value_heads", ""}, c.heads);
  c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
  if (fields.boolean({"qk_layernorm", ""}, true)) {
    c.head_norms = PlainConfig::HeadNorms::kShared;
    c.has_head_norm_bias = true;
  }
  c.has_tied_head = read_tied(fields, false);
  c.rope = read_rope(fields, c.head_dim, {.partial = 0.5});
  return c;
}

TensorRules tensors(const PlainConfig& c) {
  PlainNames names;
  names.table = "model.embed_tokens";
  names.final_norm = "model.final_layernorm";
  names.head = "lm_head";
  names.layer = "model.layers.{}.";
  names.attn_norm = "input_layernorm";
  names.ffn_norm = "post_attention_layernorm";
  set_woven(names, c, "self_attn.query_key_value");
  names.q_norm = "self_attn.q_layernorm";
  names.k_norm = "self_attn.k_layernorm";
  names.o = "self_attn.dense";
  names.up = "mlp.dense_h_to_4h";
  names.down = "mlp.dense_4h_to_h";
  names.implied = {"*.rotary_emb.inv_freq"};
  return plain_tensors(c, names);
}

}  // namespace

extern const Architecture kPersimmon;
constexpr Architecture kPersimmon = {
    "persimmon",
    {"persimmon"},
    {},
    design_of<read, tensors, plain_facts, PlainDecoder>,
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
