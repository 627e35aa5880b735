// ALBERT (Lan et al., 2020): BERT whose layers share their weights, in one group or in a few, and
// whose embedding is narrow and led to the width of the model by a product. The row is kAlbert.
// Pure functions.
#include "formats/config/config_ranges.h"
#include "model/encoder/encoder.h"
#include "model/encoder/pooled_config.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

EncoderConfig read(const ConfigFields& fields, int vocab) {
  EncoderConfig c;
  const Key heads = {"num_attention_heads", ""};
  refuse_gguf(fields, "ALBERT");
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", ""}, 1, kLayersMax, 12);
  c.layers_stored = fields.integer({"num_hidden_groups", ""}, 1, c.layers, 1);
  c.d_model = fields.integer({"hidden_size", ""}, 1, kModelWidthMax, 4096);
  c.table_width = fields.integer({"embedding_size", ""}, 1, kModelWidthMax, 128);
  c.ffn = fields.integer({"intermediate_size", ""}, 1, kFfnMax, 16384);
  c.heads = c.kv_heads = fields.integer(heads, 1, kHeadsMax, 64);
  c.head_dim = c.d_model / c.heads;
  c.context_max = c.positions =
      fields.integer({"max_position_embeddings", ""}, 1, kContextMax, 512);
  c.segments = fields.integer({"type_vocab_size", ""}, 1, 64, 2);
  c.eps = static_cast<float>(
      fields.number({"layer_norm_eps", ""}, kRmsEpsMin, kRmsEpsMax, 1e-12));
  c.activation = read_activation(fields, "hidden_act", "gelu_new");
  fields.refuse_unless({"inner_group_num", ""}, 1);
  fields.refuse_unless({"down_scale_factor", ""}, 1);
  fields.refuse_unless({"position_embedding_type", ""}, "absolute");
  fields.mark({"tie_word_embeddings", ""});  // of a head that guesses words, which is left out
  check_width(fields, heads, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim);
  c.pooled = is_classifier(fields)
                 ? read_classifier(fields, {.dense_hf = "albert.pooler"}, c.d_model)
                 : read_pooled(fields, Pool::kFirst);
  return c;
}

TensorRules tensors(const EncoderConfig& c) {
  EncoderNames n;
  n.prefixes = {"", "albert."};
  n.words = "embeddings.word_embeddings";
  n.positions = "embeddings.position_embeddings";
  n.segments = "embeddings.token_type_embeddings";
  n.embed_norm = "embeddings.LayerNorm";
  n.table_in = "encoder.embedding_hidden_mapping_in";
  n.layer = "encoder.albert_layer_groups.{}.albert_layers.0.";
  n.q = "attention.query";
  n.k = "attention.key";
  n.v = "attention.value";
  n.o = "attention.dense";
  n.attn_after = "attention.LayerNorm";
  n.up = "ffn";
  n.down = "ffn_output";
  n.ffn_after = "full_layer_layer_norm";
  TensorRules t = encoder_tensors(c, {n});
  for (const char* name : {"pooler.*", "albert.pooler.*", "predictions.*", "sop_classifier.*"}) {
    t.ignore(name);
  }
  return t;
}

}  // namespace

extern const Architecture kAlbert;
constexpr Architecture kAlbert = {
    "albert",
    {"albert"},
    {"AlbertModel", "AlbertForMaskedLM", "AlbertForPreTraining",
     "AlbertForSequenceClassification"},
    design_of<read, tensors, encoder_facts, Encoder>,
    {
     {"albert-base", R"({"hidden_size":768,"num_hidden_layers":12,"num_attention_heads":12,
"embedding_size":128,"intermediate_size":3072,"vocab_size":30000})"},
     {"tiny-albert", R"({"hidden_size":72,"num_hidden_layers":4,"num_hidden_groups":2,
"num_attention_heads":4,"embedding_size":40,"intermediate_size":136,"vocab_size":331})"},
    }};

}  // namespace quire
