// BERT (Devlin et al., 2019): an encoder that reads a text, or a pair of texts, at once and makes
// vectors of it. Every token sees all of them; positions are learned; norms stand behind each
// block. RoBERTa (Liu et al., 2019), XLM-R and CamemBERT are the same, but count positions from
// behind the padding's id. With a head on the first token they classify or rank. The rows are kBert
// and kRoberta; GGUF calls all of them bert and has cut off what is before the first position.
// Pure functions.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/encoder/encoder.h"
#include "model/encoder/pooled_config.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

constexpr int kSegmentsMax = 64;

// Rows of the table of segments; a GGUF may have no such table.
int read_segments(const ConfigFields& fields) {
  const int said = fields.integer({"type_vocab_size", ""}, 1, kSegmentsMax, 2);
  if (!fields.is_gguf()) return said;
  const TensorView* table = fields.tensor({"", "token_types.weight"});
  if (table == nullptr) return 0;
  return static_cast<int>(std::min<std::size_t>(table->shape.front(), kSegmentsMax));
}

EncoderConfig read_sizes(const ConfigFields& fields, int vocab) {
  EncoderConfig c;
  const Key heads = {"num_attention_heads", "attention.head_count"};
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  c.heads = c.kv_heads = fields.integer(heads, 1, kHeadsMax);
  c.head_dim = c.d_model / c.heads;
  c.positions = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax);
  c.context_max = c.positions;
  c.segments = read_segments(fields);
  c.eps = static_cast<float>(fields.number({"layer_norm_eps", "attention.layer_norm_epsilon"},
                                           kRmsEpsMin, kRmsEpsMax, 1e-12));
  c.activation =
      fields.is_gguf() ? Activation::kGelu : read_activation(fields, "hidden_act", "gelu");
  fields.refuse_unless({"position_embedding_type", ""}, "absolute");
  fields.refuse({"is_decoder", "attention.causal"});
  fields.refuse({"add_cross_attention", ""});
  fields.mark({"tie_word_embeddings", ""});  // of a head that guesses words, which is left out
  check_width(fields, heads, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim);
  return c;
}

EncoderConfig read_bert(const ConfigFields& fields, int vocab) {
  EncoderConfig c = read_sizes(fields, vocab);
  c.pooled = is_classifier(fields)
                 ? read_classifier(fields, {.dense_hf = "bert.pooler.dense"}, c.d_model)
                 : read_pooled(fields, Pool::kFirst);
  return c;
}

EncoderConfig read_roberta(const ConfigFields& fields, int vocab) {
  EncoderConfig c = read_sizes(fields, vocab);
  c.position_offset = fields.integer({"pad_token_id", ""}, 0, kContextMax - 1, 1) + 1;
  c.context_max = c.positions - c.position_offset;
  if (c.context_max < 1) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} positions, of which the first {} are of none",
                      fields.name_of({"max_position_embeddings", ""}), c.positions,
                      c.position_offset));
  }
  const ClassifierHead head = {.dense_hf = "classifier.dense", .out_hf = "classifier.out_proj"};
  c.pooled = is_classifier(fields) ? read_classifier(fields, head, c.d_model)
                                   : read_pooled(fields, Pool::kFirst);
  return c;
}

// Models with a head have the kind's name in front; the first release calls a norm's parts gamma
// and beta.
EncoderNames names_of(const char* prefix) {
  EncoderNames n;
  n.prefixes = {"", prefix};
  n.has_old_norms = true;
  n.words = "embeddings.word_embeddings";
  n.positions = "embeddings.position_embeddings";
  n.segments = "embeddings.token_type_embeddings";
  n.embed_norm = "embeddings.LayerNorm";
  n.layer = "encoder.layer.{}.";
  n.q = "attention.self.query";
  n.k = "attention.self.key";
  n.v = "attention.self.value";
  n.o = "attention.output.dense";
  n.attn_after = "attention.output.LayerNorm";
  n.up = "intermediate.dense";
  n.down = "output.dense";
  n.ffn_after = "output.LayerNorm";
  return n;
}

TensorRules tensors_of_bert(const EncoderConfig& c) {
  TensorRules t = encoder_tensors(c, {names_of("bert.")});
  // Heads of the tasks that it was trained for.
  for (const char* name : {"pooler.*", "bert.pooler.*", "cls.*"}) t.ignore(name);
  return t;
}

TensorRules tensors_of_roberta(const EncoderConfig& c) {
  TensorRules t = encoder_tensors(c, {names_of("roberta.")});
  for (const char* name : {"pooler.*", "roberta.pooler.*", "lm_head.*"}) t.ignore(name);
  return t;
}

}  // namespace

extern const Architecture kBert;
constexpr Architecture kBert = {
    "bert",
    {"bert"},
    {"BertModel", "BertForMaskedLM", "BertForPreTraining", "BertForSequenceClassification"},
    design_of<read_bert, tensors_of_bert, encoder_facts, Encoder>,
    {
     {"bert-base",
      R"({"hidden_size":768,"num_hidden_layers":12,"num_attention_heads":12,
"intermediate_size":3072,"max_position_embeddings":512,"vocab_size":30522})"},
     {"tiny-bert",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"intermediate_size":160,
"max_position_embeddings":512,"vocab_size":331})"},
     {"tiny-bert-classifier",
      R"({"architectures":["BertForSequenceClassification"],"hidden_size":96,
"num_hidden_layers":2,"num_attention_heads":6,"intermediate_size":160,
"max_position_embeddings":512,"vocab_size":331,"num_labels":3})"},
    }};

extern const Architecture kRoberta;
constexpr Architecture kRoberta = {
    "roberta",
    {"roberta", "xlm-roberta", "camembert"},
    {"RobertaModel", "RobertaForMaskedLM", "RobertaForSequenceClassification", "XLMRobertaModel",
     "XLMRobertaForMaskedLM", "XLMRobertaForSequenceClassification", "CamembertModel",
     "CamembertForMaskedLM", "CamembertForSequenceClassification"},
    design_of<read_roberta, tensors_of_roberta, encoder_facts, Encoder>,
    {
     {"xlm-roberta-base",
      R"({"hidden_size":768,"num_hidden_layers":12,"num_attention_heads":12,"type_vocab_size":1,
"intermediate_size":3072,"max_position_embeddings":514,"vocab_size":250002})"},
     {"tiny-roberta",
      R"({"hidden_size":72,"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":136,
"max_position_embeddings":514,"type_vocab_size":1,"vocab_size":331})"},
    }};

}  // namespace quire
