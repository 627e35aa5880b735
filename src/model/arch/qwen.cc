// Qwen (Bai et al., 2023), the first: a Llama with biases on queries, keys and values, which are
// one matrix. Beyond the length it was trained for its own code stretches the rotation and scales
// the queries by the logarithm of their position; it is served up to that length, which GGUF does
// not say. The row is kQwen.
// Pure functions. Called by the registry.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

void set_names(DecoderConfig& c) {
  DecoderNames& names = c.names;
  names.table = "transformer.wte";
  names.final_norm = "transformer.ln_f";
  names.layer = "transformer.h.{}.";
  names.attn_norm = "ln_1";
  names.ffn_norm = "ln_2";
  names.o = "attn.c_proj";
  names.mlp_gate = "mlp.w2";
  names.mlp_up = "mlp.w1";
  names.mlp_down = "mlp.c_proj";
  names.implied = {"transformer.rotary_emb.inv_freq"};
  fuse_heads("attn.c_attn", c);
  fuse_gguf_heads(c);
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  const double theta = fields.number({"rotary_emb_base", ""}, 1, 1e12, 10000.0);
  DecoderConfig c = read_decoder(
      fields, vocab, {.keys = {.kv_heads = "", .head_dim = "kv_channels"},
                      .eps_name = "layer_norm_epsilon", .eps = 1e-6, .rope = {.theta = theta},
                      .is_tied = false, .has_activation = false, .has_own_biases = true});
  c.has_qkv_bias = true;
  c.ffn /= 2;  // the file counts gate and up
  const int trained = fields.integer({"seq_length", ""}, 1, kContextMax, c.context_max);
  c.context_max = std::min(c.context_max, trained);
  for (const char* name : {"use_dynamic_ntk", "use_logn_attn"}) {
    fields.mark({name, ""});  // of longer texts
  }
  fields.refuse_unless({"rotary_pct", ""}, 1);
  fields.refuse_false({"no_bias", ""});
  fields.refuse_false({"scale_attn_weights", ""});
  fields.refuse({"use_cache_quantization", ""});
  fields.refuse({"use_cache_kernel", ""});
  // How its own code computes the same, and training.
  for (const char* name : {"bf16", "fp16", "fp32", "use_flash_attn", "onnx_safe", "softmax_in_fp32",
                           "emb_dropout_prob", "attn_dropout_prob"}) {
    fields.mark({name, ""});
  }
  set_names(c);
  return c;
}

}  // namespace

extern const Architecture kQwen;
constexpr Architecture kQwen = {
    "qwen",
    {"qwen"},
    {"QWenLMHeadModel"},
    kDecoderDesign<read>,
    {
     {"tiny-qwen",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":320,
"max_position_embeddings":2048,"vocab_size":331})"},
    }};

}  // namespace quire
