// Phi-1, 1.5 and 2 (Gunasekar et al., "Textbooks are all you need", 2023): attention and MLP side
// by side over one norm, a part of each head that turns, biases everywhere, the head's too. The row
// is kPhi.
// Pure functions. Called by the registry.
#include "model/arch/decoder.h"

namespace quire {
namespace {

DecoderConfig read(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.sizes = {.context = 2048, .ffn_widths = 4},
                                                 .eps_name = "layer_norm_eps",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation = "gelu_new",
                                                 .rope = {.partial = 0.5}, .is_tied = false,
                                                 .has_own_biases = true});
  c.is_parallel = true;
  c.is_gated = false;
  c.has_norm_biases = c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = c.has_head_bias = true;
  if (fields.boolean({"qk_layernorm", ""}, false)) {
    c.head_norms = QueryNorms::kEach;
    c.has_head_norm_biases = true;
  }
  c.names.final_norm = "model.final_layernorm";
  c.names.o = "self_attn.dense";
  c.names.q_norm = "self_attn.q_layernorm";
  c.names.k_norm = "self_attn.k_layernorm";
  c.names.mlp_up = "mlp.fc1";
  c.names.mlp_down = "mlp.fc2";
  if (fields.tensor({"", "blk.0.attn_qkv.weight"}) != nullptr) fuse_gguf_heads(c);
  return c;
}

}  // namespace

extern const Architecture kPhi;
constexpr Architecture kPhi = {
    "phi",
    {"phi", "phi2"},
    {},
    kDecoderDesign<read>,
    {
     {"phi-2",
      R"({"hidden_size":2560,"num_hidden_layers":32,"num_attention_heads":32,
"intermediate_size":10240,"partial_rotary_factor":0.4,"vocab_size":51200})"},
     {"tiny-phi",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"intermediate_size":152,
"vocab_size":331})"},
    }};

}  // namespace quire
