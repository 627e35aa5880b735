// Phi-1, 1.5 and 2 (Gunasekar et al., "Textbooks are all you need", 2023): attention and MLP side
// by side over one norm, a part of each head that turns, biases everywhere, the head's too. The row
// is kPhi. Pure functions over PlainDecoder.
#include "model/arch/plain_decoder.h"

namespace quire {
namespace {

PlainConfig read(const ConfigFields& fields, int vocab) {
  PlainConfig c = read_plain(fields, vocab, {.context_default = 2048});
  c.blocks = PlainConfig::Blocks::kBeside;
  c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
  c.is_gguf_fused = fields.tensor({"", "blk.0.attn_qkv.weight"}) != nullptr;
  if (fields.boolean({"qk_layernorm", ""}, false)) {
    c.head_norms = PlainConfig::HeadNorms::kShared;
    c.has_head_norm_bias = true;
  }
  c.has_tied_head = read_tied(fields, false);
  c.has_head_bias = true;
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
  names.q = "self_attn.q_proj";
  names.k = "self_attn.k_proj";
  names.v = "self_attn.v_proj";
  names.q_norm = "self_attn.q_layernorm";
  names.k_norm = "self_attn.k_layernorm";
  names.o = "self_attn.dense";
  names.up = "mlp.fc1";
  names.down = "mlp.fc2";
  names.implied = {"*.rotary_emb.inv_freq"};
  return plain_tensors(c, names);
}

}  // namespace

extern const Architecture kPhi;
constexpr Architecture kPhi = {
    "phi",
    {"phi", "phi2"},
    {},
    design_of<read, tensors, plain_facts, PlainDecoder>,
    {
     {"phi-2",
      R"({"hidden_size":2560,"num_hidden_layers":32,"num_attention_heads":32,
"intermediate_size":10240,"partial_rotary_factor":0.4,"vocab_size":51200})"},
     {"tiny-phi",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"intermediate_size":152,
"vocab_size":331})"},
    }};

}  // namespace quire
