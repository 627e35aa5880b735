// Falcon (Almazrouei et al., 2023): attention and MLP side by side over one norm (7B) or one norm
// each (40B), rotary positions, one key head (7B) or a few; and Falcon-RW, whose blocks follow each
// other and whose scores have linear biases (ALiBi). Queries, keys and values are one matrix, each
// key head behind its queries. The row is kFalcon.
// Pure functions. Called by the registry.
#include <cmath>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

// The 40B has one architecture and the others another, with a name for each part of it.
void read_blocks(const ConfigFields& fields, DecoderConfig& c) {
  const bool is_new = fields.is_gguf() ? fields.tensor({"", "blk.0.attn_norm_2.weight"}) != nullptr
                                       : fields.boolean({"new_decoder_architecture", ""}, false);
  const bool is_multi_query = fields.boolean({"multi_query", ""}, true);
  c.is_parallel = fields.boolean({"parallel_attn", ""}, true);
  if (!is_new && !fields.is_gguf() && is_multi_query) c.kv_heads = 1;
  const int norms = fields.integer({"num_ln_in_parallel_attn", ""}, 1, 2, is_new ? 2 : 1);
  c.has_two_norms = is_new && norms == 2;
  if (is_new && !c.is_parallel) fields.refuse_unless("parallel_attn", "true");
  if (!is_new && norms == 2) fields.refuse_unless("num_ln_in_parallel_attn", 1);
  if (!c.has_two_norms) return;
  c.names.attn_norm = "ln_attn";
  c.names.gguf_attn_norm = "attn_norm_2";
  c.names.ffn_norm = "ln_mlp";
  c.names.gguf_ffn_norm = "attn_norm";
}

// The biases pass the scale of the scores as the products do, and the library keeps them as
// bfloat16. A rotation that is said beside them means nothing.
void set_alibi(DecoderConfig& c) {
  c.turns.assign(c.turns.size(), false);
  c.slopes = alibi_slopes(c.heads);
  for (float& slope : c.slopes) {
    slope = bf16_to_float(float_to_bf16(slope)) / std::sqrt(static_cast<float>(c.head_dim));
  }
}

void set_names(DecoderConfig& c) {
  c.names.table = "transformer.word_embeddings";
  c.names.final_norm = "transformer.ln_f";
  c.names.layer = "transformer.h.{}.";
  c.names.o = "self_attention.dense";
  c.names.mlp_up = "mlp.dense_h_to_4h";
  c.names.mlp_down = "mlp.dense_4h_to_h";
  c.names.implied = {"*.maybe_rotary.inv_freq", "*.rotary_emb.inv_freq"};
  weave_heads("self_attention.query_key_value", c);
  fuse_gguf_heads(c);
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  const DecoderSizes sizes = {.kv_heads = fields.is_gguf() ? 1 : 0, .context = 2048,
                              .ffn_widths = 4};
  DecoderConfig c = read_decoder(fields, vocab, {.keys = {.ffn = "ffn_hidden_size",
                                                          .kv_heads = "num_kv_heads",
                                                          .head_dim = ""},
                                                 .sizes = sizes, .eps_name = "layer_norm_epsilon",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation_name = "activation",
                                                 .activation = "gelu", .is_tied = true,
                                                 .has_own_biases = true});
  fields.refuse_unless({"ff_factor", ""}, static_cast<double>(c.ffn) / c.d_model);
  c.is_gated = false;
  c.has_norm_biases = true;
  c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = fields.boolean({"bias", ""}, false);
  read_blocks(fields, c);
  if (fields.boolean({"alibi", ""}, false)) set_alibi(c);
  fields.refuse({"apply_residual_connection_post_layernorm", ""});
  set_names(c);
  return c;
}

}  // namespace

extern const Architecture kFalcon;
constexpr Architecture kFalcon = {
    "falcon",
    {"falcon"},
    {},
    kDecoderDesign<read>,
    {
     {"falcon-7b",
      R"({"hidden_size":4544,"num_hidden_layers":32,"num_attention_heads":71,"vocab_size":65024})"},
     {"tiny-falcon",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"vocab_size":331})"},
     {"tiny-falcon-two-norms",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"vocab_size":331,
"new_decoder_architecture":true,"num_kv_heads":2,"tie_word_embeddings":false})"},
     {"tiny-falcon-rw",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"vocab_size":331,
"alibi":true,"bias":true,"multi_query":false,"parallel_attn":false})"},
    }};

}  // namespace quire
