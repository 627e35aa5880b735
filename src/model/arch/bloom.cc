// BLOOM (BigScience, 2022): no positions but biases that grow with distance (ALiBi), a norm behind
// the embedding, LayerNorm before each block, biases everywhere, a plain MLP. Hugging Face files
// weave queries, keys and values of each head into one matrix; those of the first release have no
// "transformer." in front of their names. The row is kBloom.
// Pure functions. Called by the registry.
#include "model/arch/decoder.h"

namespace quire {
namespace {

void set_names(DecoderConfig& c) {
  c.names.prefix = "transformer.";
  c.names.table = "transformer.word_embeddings";
  c.names.embedding_norm = "transformer.word_embeddings_layernorm";
  c.names.final_norm = "transformer.ln_f";
  c.names.layer = "transformer.h.{}.";
  c.names.o = "self_attention.dense";
  c.names.mlp_up = "mlp.dense_h_to_4h";
  c.names.mlp_down = "mlp.dense_4h_to_h";
  weave_heads("self_attention.query_key_value", c);
  fuse_gguf_heads(c);
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  // Each has a name of its first release and one of later files.
  const auto either = [&](const char* first, const char* later) {
    fields.mark({later, ""});
    return fields.has({first, ""}) ? first : later;
  };
  const DecoderKeys keys = {.layers = either("n_layer", "num_hidden_layers"),
                            .d_model = either("n_embed", "hidden_size"),
                            .ffn = "",
                            .heads = either("n_head", "num_attention_heads"),
                            .kv_heads = "",
                            .head_dim = "",
                            .context = "seq_length"};
  DecoderConfig c = read_decoder(fields, vocab, {.keys = keys,
                                                 .sizes = {.context = 2048, .ffn_widths = 4},
                                                 .eps_name = "layer_norm_epsilon",
                                                 .norm = Norm::Kind::kLayer, .is_tied = true,
                                                 .has_rope = false, .has_activation = false,
                                                 .has_own_biases = true});
  c.activation = Activation::kGeluTanh;
  c.is_gated = false;
  c.has_embedding_norm = true;
  c.has_norm_biases = c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
  c.slopes = alibi_slopes(c.heads);
  fields.refuse_unless({"n_inner", ""}, c.ffn);
  fields.refuse({"apply_residual_connection_post_layernorm", ""});
  // How sums are ordered and fused, where it ran; biases are added here, all of them.
  for (const char* name :
       {"slow_but_exact", "skip_bias_add", "skip_bias_add_qkv", "bias_dropout_fusion",
        "masked_softmax_fusion", "attention_softmax_in_fp32", "offset_alibi"}) {
    fields.mark({name, ""});
  }
  set_names(c);
  return c;
}

}  // namespace

extern const Architecture kBloom;
constexpr Architecture kBloom = {
    "bloom",
    {"bloom"},
    {},
    kDecoderDesign<read>,
    {
     {"bloom-560m",
      R"({"hidden_size":1024,"n_layer":24,"n_head":16,"vocab_size":250880})"},
     {"tiny-bloom",
      R"({"hidden_size":96,"n_layer":2,"n_head":6,"vocab_size":331})"},
    }};

}  // namespace quire
