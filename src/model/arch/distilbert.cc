// DistilBERT (Sanh et al., 2019): BERT of half the layers, without segments, its keys under names
// of their own. The row is kDistilBert; GGUF calls it bert. Pure functions.
#include "formats/config/config_ranges.h"
#include "model/encoder/encoder.h"
#include "model/encoder/pooled_config.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

EncoderConfig read(const ConfigFields& fields, int vocab) {
  EncoderConfig c;
  c.vocab = vocab;
  c.layers = fields.integer({"n_layers", ""}, 1, kLayersMax, 6);
  c.d_model = fields.integer({"dim", ""}, 1, kModelWidthMax, 768);
  c.ffn = fields.integer({"hidden_dim", ""}, 1, kFfnMax, 4 * c.d_model);
  c.heads = c.kv_heads = fields.integer({"n_heads", ""}, 1, kHeadsMax, 12);
  c.head_dim = c.d_model / c.heads;
  c.context_max = c.positions =
      fields.integer({"max_position_embeddings", ""}, 1, kContextMax, 512);
  c.activation = read_activation(fields, "activation", "gelu");
  // A table of sines is stored as any other; the last is of a head that is left out.
  for (const char* name : {"sinusoidal_pos_embds", "tie_weights_", "tie_word_embeddings"}) {
    fields.mark({name, ""});
  }
  fields.refuse({"is_decoder", ""});
  check_width(fields, {"n_heads", ""}, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim);
  const ClassifierHead head = {.dense_hf = "pre_classifier", .activation = Activation::kRelu};
  c.pooled = is_classifier(fields) ? read_classifier(fields, head, c.d_model)
                                   : read_pooled(fields, Pool::kFirst);
  return c;
}

TensorRules tensors(const EncoderConfig& c) {
  EncoderNames n;
  n.prefixes = {"", "distilbert."};
  n.words = "embeddings.word_embeddings";
  n.positions = "embeddings.position_embeddings";
  n.embed_norm = "embeddings.LayerNorm";
  n.layer = "transformer.layer.{}.";
  n.q = "attention.q_lin";
  n.k = "attention.k_lin";
  n.v = "attention.v_lin";
  n.o = "attention.out_lin";
  n.attn_after = "sa_layer_norm";
  n.up = "ffn.lin1";
  n.down = "ffn.lin2";
  n.ffn_after = "output_layer_norm";
  TensorRules t = encoder_tensors(c, {n});
  t.ignore("vocab_*");  // a head that guesses words
  return t;
}

}  // namespace

extern const Architecture kDistilBert;
constexpr Architecture kDistilBert = {
    "distilbert",
    {"distilbert"},
    {"DistilBertModel", "DistilBertForMaskedLM", "DistilBertForSequenceClassification"},
    design_of<read, tensors, encoder_facts, Encoder>,
    {
     {"distilbert-base", R"({"dim":768,"n_layers":6,"n_heads":12,"hidden_dim":3072,
"vocab_size":30522})"},
     {"tiny-distilbert", R"({"dim":72,"n_layers":2,"n_heads":6,"hidden_dim":136,
"vocab_size":331})"},
    }};

}  // namespace quire
