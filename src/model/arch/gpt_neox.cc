// GPT-NeoX (Black et al., 2022), and Pythia: LayerNorm, biases, a part of each head rotated;
// attention and MLP side by side, each behind a norm of its own, or one behind the other. Queries,
// keys and values are one matrix, woven head by head. The row is kGptNeox.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

DecoderConfig read(const ConfigFields& fields, int vocab) {
  const RopeDefaults rope = {
      .theta = fields.number({"rotary_emb_base", ""}, kThetaMin, kThetaMax, 10000),
      .partial = fields.number({"rotary_pct", ""}, 0, 1, 0.25)};
  DecoderConfig c = read_decoder(fields, vocab, {.keys = {.kv_heads = "", .head_dim = ""},
                                                 .eps_name = "layer_norm_eps",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation = "gelu", .rope = rope,
                                                 .is_tied = false, .has_own_biases = true});
  c.is_gated = false;
  c.is_parallel = c.has_two_norms = fields.boolean("use_parallel_residual", true);
  c.has_norm_biases = c.has_mlp_bias = true;
  c.has_qkv_bias = c.has_o_bias = fields.boolean({"attention_bias", ""}, true);
  c.names.table = "gpt_neox.embed_in";
  c.names.final_norm = "gpt_neox.final_layer_norm";
  c.names.head = "embed_out";
  c.names.layer = "gpt_neox.layers.{}.";
  c.names.o = "attention.dense";
  c.names.mlp_up = "mlp.dense_h_to_4h";
  c.names.mlp_down = "mlp.dense_4h_to_h";
  // Masks and angles, which the configuration implies.
  c.names.implied = {"*.attention.bias", "*.attention.masked_bias", "*.inv_freq"};
  weave_heads("attention.query_key_value", c);
  fuse_gguf_heads(c);
  return c;
}

}  // namespace

extern const Architecture kGptNeox;
constexpr Architecture kGptNeox = {
    "gpt_neox",
    {"gpt_neox", "gptneox"},
    {},
    kDecoderDesign<read>,
    {
     {"pythia-1b",
      R"({"hidden_size":2048,"num_hidden_layers":16,"num_attention_heads":8,
"intermediate_size":8192,"max_position_embeddings":2048,"vocab_size":50304})"},
     {"tiny-neox",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"intermediate_size":160,
"max_position_embeddings":2048,"vocab_size":331})"},
    }};

}  // namespace quire
