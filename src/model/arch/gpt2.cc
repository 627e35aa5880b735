// GPT-2 (Radford et al., 2019): learned positions, LayerNorm before each block, biases everywhere,
// a plain MLP, and queries, keys and values in one matrix. Hugging Face files hold the matrices
// [inputs, outputs], as the first release had them, which had no "transformer." in front of its
// names. The row is kGpt2.
// Pure functions. Called by the registry.
#include "model/arch/gpt2.h"

namespace quire {

void set_gpt_names(DecoderNames& names) {
  names.prefix = "transformer.";
  names.table = "transformer.wte";
  names.positions = "transformer.wpe";
  names.final_norm = "transformer.ln_f";
  names.layer = "transformer.h.{}.";
  names.attn_norm = "ln_1";
  names.ffn_norm = "ln_2";
  names.o = "attn.c_proj";
  names.mlp_up = "mlp.c_fc";
  names.mlp_down = "mlp.c_proj";
  names.implied = {"*.attn.bias", "*.attn.masked_bias"};  // masks, which positions imply
}

namespace {

DecoderConfig read(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.keys = kGptKeys, .sizes = {.ffn_widths = 4},
                                                 .eps_name = "layer_norm_epsilon",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation_name = "activation_function",
                                                 .activation = "gelu_new", .is_tied = true,
                                                 .has_rope = false, .has_own_biases = true});
  c.is_gated = false;
  c.has_norm_biases = c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
  c.position_offset = 0;
  if (!fields.boolean({"scale_attn_weights", ""}, true)) c.score_scale = 1;
  c.has_scale_by_layer = fields.boolean({"scale_attn_by_inverse_layer_idx", ""}, false);
  fields.mark({"n_ctx", ""});                    // the context once more
  fields.mark({"reorder_and_upcast_attn", ""});  // an order of computation
  fields.refuse({"add_cross_attention", ""});
  DecoderNames& names = c.names;
  set_gpt_names(names);
  fuse_heads("attn.c_attn", c);
  fuse_gguf_heads(c);
  for (Stored* one : {&names.q, &names.k, &names.v, &names.o, &names.mlp_up, &names.mlp_down}) {
    *one = one->transposed();
  }
  return c;
}

}  // namespace

extern const Architecture kGpt2;
constexpr Architecture kGpt2 = {
    "gpt2",
    {"gpt2"},
    {"GPT2LMHeadModel"},
    kDecoderDesign<read>,
    {
     {"gpt2-124m",
      R"({"n_embd":768,"n_layer":12,"n_head":12,"n_positions":1024,"vocab_size":50257})"},
     {"tiny-gpt2",
      R"({"n_embd":96,"n_layer":2,"n_head":6,"n_positions":512,"vocab_size":331})"},
    }};

}  // namespace quire
