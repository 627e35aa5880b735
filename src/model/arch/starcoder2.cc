// StarCoder2 (Lozhkov et al., 2024): LayerNorm, biases, a plain MLP, few key heads, rotary
// positions and a window. The row is kStarCoder2.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

DecoderConfig read(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.sizes = {.ffn_widths = 4},
                                                 .eps_name = "norm_epsilon",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation = "gelu_pytorch_tanh",
                                                 .is_tied = true, .has_own_biases = true});
  c.is_gated = false;
  c.has_norm_biases = true;
  c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias =
      fields.is_gguf() ? fields.tensor({"", "blk.0.attn_q.bias"}) != nullptr
                       : fields.boolean({"use_bias", ""}, true);
  const Key window = {"sliding_window", "attention.sliding_window"};
  c.windows.assign(c.windows.size(), fields.integer(window, 0, kContextMax, 0));
  fields.refuse_unless({"mlp_type", ""}, "default");
  fields.refuse_unless({"norm_type", ""}, "layer_norm");
  // An order of computation; and older words, beside which hidden_act and norm_epsilon decide.
  for (const char* name : {"attention_softmax_in_fp32", "scale_attention_softmax_in_fp32",
                           "activation_function", "layer_norm_epsilon"}) {
    fields.mark({name, ""});
  }
  fields.refuse_false({"scale_attn_weights", ""});
  c.names.mlp_up = "mlp.c_fc";
  c.names.mlp_down = "mlp.c_proj";
  return c;
}

}  // namespace

extern const Architecture kStarCoder2;
constexpr Architecture kStarCoder2 = {
    "starcoder2",
    {"starcoder2"},
    {},
    kDecoderDesign<read>,
    {
     {"starcoder2-3b",
      R"({"hidden_size":3072,"num_hidden_layers":30,"num_attention_heads":24,
"num_key_value_heads":2,"intermediate_size":12288,"max_position_embeddings":16384,
"sliding_window":4096,"vocab_size":49152})"},
     {"tiny-starcoder2",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,
"intermediate_size":152,"max_position_embeddings":2048,"sliding_window":40,"vocab_size":331})"},
    }};

}  // namespace quire
