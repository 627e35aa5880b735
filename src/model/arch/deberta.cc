// DeBERTa (He et al., 2021): an encoder with norms behind its blocks whose scores are of contents
// and of places apart (model/encoder/disentangled.h); so is mDeBERTa. Versions 2 and 3 share places
// between far distances and make them by the products of keys and queries; the first version has
// products of its own for them, one matrix for queries, keys and values of each head in turn, and
// learned positions beside. With a head on the first token they classify or rank. The rows are
// kDeberta and kDebertaV2. Pure functions.
#include <algorithm>
#include <cmath>

#include "formats/config/config_ranges.h"
#include "model/encoder/encoder.h"
#include "model/encoder/pooled_config.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

constexpr int kSegmentsMax = 64;

// "p2c|c2p", or a list.
void read_terms(const ConfigFields& fields, Disentangled& d) {
  const char* key = "pos_att_type";
  std::vector<std::string> terms;
  if (fields.is_text({key, ""})) {
    const std::string text = fields.string({key, ""});
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('|', at), text.size());
      terms.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  } else {
    terms = fields.strings({key, ""});
  }
  for (const std::string& term : terms) {
    if (term == "c2p") {
      d.has_keys = true;
    } else if (term == "p2c") {
      d.has_queries = true;
    } else {
      fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported, only c2p and p2c",
                        fields.name_of({key, ""}), term.substr(0, 64)));
    }
  }
}

// A width other than the model's, layers between, other heads: of sizes that were not released, or
// of the largest of version 2.
void refuse_others(const ConfigFields& fields, const EncoderConfig& c) {
  for (const char* key : {"conv_kernel_size", "talking_head", "attention_head_size"}) {
    fields.refuse({key, ""});
  }
  fields.refuse_unless({"embedding_size", ""}, c.d_model);
  fields.refuse_unless({"pooler_hidden_size", ""}, c.d_model);
  for (const char* key : {"conv_act", "padding_idx", "legacy", "tie_word_embeddings",
                          "pooler_dropout"}) {
    fields.mark({key, ""});  // of what is refused, or of a head that guesses words
  }
}

EncoderConfig read(const ConfigFields& fields, int vocab, bool is_first) {
  EncoderConfig c;
  refuse_gguf(fields, is_first ? "deberta" : "deberta-v2");
  const Key heads = {"num_attention_heads", ""};
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", ""}, 1, kLayersMax);
  c.d_model = fields.integer({"hidden_size", ""}, 1, kModelWidthMax);
  c.ffn = fields.integer({"intermediate_size", ""}, 1, kFfnMax);
  c.heads = c.kv_heads = fields.integer(heads, 1, kHeadsMax);
  c.head_dim = c.d_model / c.heads;
  c.context_max = fields.integer({"max_position_embeddings", ""}, 1, kContextMax, 512);
  if (fields.boolean({"position_biased_input", ""}, true)) c.positions = c.context_max;
  c.segments = fields.integer({"type_vocab_size", ""}, 0, kSegmentsMax, 0);
  c.eps = static_cast<float>(
      fields.number({"layer_norm_eps", ""}, kRmsEpsMin, kRmsEpsMax, 1e-7));
  c.activation = read_activation(fields, "hidden_act", "gelu");
  c.has_qkv_bias = !is_first;
  check_width(fields, heads, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim);
  refuse_others(fields, c);
  Disentangled& d = c.disentangled;
  if (fields.boolean({"relative_attention", ""}, false)) {
    const int stated = fields.integer({"max_relative_positions", ""}, -1, kContextMax, -1);
    d.distance_max = stated < 1 ? c.context_max : stated;
    if (!is_first) d.buckets = fields.integer({"position_buckets", ""}, -1, kContextMax, -1);
    d.buckets = std::max(d.buckets, 0);
    d.span = d.buckets > 0 ? d.buckets : d.distance_max;
    d.is_shared = !is_first && fields.boolean({"share_att_key", ""}, false);
    read_terms(fields, d);
    const std::string norm = is_first ? "none" : fields.string({"norm_rel_ebd", ""}, "none");
    d.has_norm = norm == "layer_norm";
    if (!d.has_norm && norm != "none") {
      fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported, only layer_norm",
                        fields.name_of({"norm_rel_ebd", ""}), norm.substr(0, 64)));
    }
  } else {
    for (const char* key : {"pos_att_type", "norm_rel_ebd", "max_relative_positions",
                            "position_buckets", "share_att_key"}) {
      fields.mark({key, ""});  // of places, which there are none
    }
  }
  c.score_scale = 1 / std::sqrt(static_cast<float>(c.head_dim * (d ? d.terms() : 1)));
  const Activation activation = read_activation(fields, "pooler_hidden_act", "gelu");
  c.pooled = is_classifier(fields)
                 ? read_classifier(fields, {.dense_hf = "pooler.dense", .activation = activation},
                                   c.d_model)
                 : read_pooled(fields, Pool::kFirst);
  return c;
}

EncoderConfig read_first(const ConfigFields& fields, int vocab) {
  return read(fields, vocab, true);
}
EncoderConfig read_second(const ConfigFields& fields, int vocab) {
  return read(fields, vocab, false);
}

EncoderNames names_of_all() {
  EncoderNames n;
  n.prefixes = {"deberta.", ""};
  n.words = "embeddings.word_embeddings";
  n.positions = "embeddings.position_embeddings";
  n.segments = "embeddings.token_type_embeddings";
  n.embed_norm = "embeddings.LayerNorm";
  n.places = "encoder.rel_embeddings";
  n.places_norm = "encoder.LayerNorm";
  n.layer = "encoder.layer.{}.";
  n.q = "attention.self.query_proj";
  n.k = "attention.self.key_proj";
  n.v = "attention.self.value_proj";
  n.place_k = "attention.self.pos_key_proj";
  n.place_q = "attention.self.pos_query_proj";
  n.o = "attention.output.dense";
  n.attn_after = "attention.output.LayerNorm";
  n.up = "intermediate.dense";
  n.down = "output.dense";
  n.ffn_after = "output.LayerNorm";
  return n;
}

void ignore_heads(TensorRules& t) {  // that guess words
  for (const char* name : {"cls.*", "lm_predictions.*", "mask_predictions.*", "pooler.*",
                           "lm_head.*", "legacy_lm_head.*"}) {
    t.ignore(name);
  }
}

TensorRules tensors_of_second(const EncoderConfig& c) {
  TensorRules t = encoder_tensors(c, {names_of_all()});
  ignore_heads(t);
  return t;
}

// Queries, keys and values of each head in turn; queries and values have biases beside.
TensorRules tensors_of_first(const EncoderConfig& c) {
  EncoderNames n = names_of_all();
  const auto dim = static_cast<std::size_t>(c.head_dim);
  const auto total = static_cast<std::size_t>(3 * c.d_model);
  const Stored fused = "attention.self.in_proj";
  n.q = fused.runs(0, dim, 3 * dim, total);
  n.k = fused.runs(dim, dim, 3 * dim, total);
  n.v = fused.runs(2 * dim, dim, 3 * dim, total);
  n.place_k = "attention.self.pos_proj";
  n.place_q = "attention.self.pos_q_proj";
  TensorRules t = encoder_tensors(c, {n});
  for (int layer = 0; layer < c.layers; ++layer) {
    for (const char* part : {"q_bias", "v_bias"}) {
      const std::string name = std::string("encoder.layer.{}.attention.self.") + part;
      TensorRule rule = {std::string("layers.{}.") + part, "", Stored("deberta." + name),
                         {static_cast<std::size_t>(c.d_model)}, Role::kBias};
      rule.others = {Stored(name)};
      t.add_layer(layer, std::move(rule));
    }
  }
  ignore_heads(t);
  return t;
}

}  // namespace

extern const Architecture kDeberta;
constexpr Architecture kDeberta = {
    "deberta",
    {"deberta"},
    {"DebertaModel", "DebertaForMaskedLM", "DebertaForSequenceClassification"},
    design_of<read_first, tensors_of_first, encoder_facts, Encoder>,
    {
     {"deberta-base",
      R"({"hidden_size":768,"num_hidden_layers":12,"num_attention_heads":12,
"intermediate_size":3072,"max_position_embeddings":512,"relative_attention":true,
"pos_att_type":"c2p|p2c","position_biased_input":false,"vocab_size":50265})"},
     {"tiny-deberta",
      R"({"hidden_size":72,"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":136,
"max_position_embeddings":256,"relative_attention":true,"pos_att_type":"c2p|p2c",
"vocab_size":331})"},
    }};

extern const Architecture kDebertaV2;
constexpr Architecture kDebertaV2 = {
    "deberta-v2",
    {"deberta-v2"},
    {"DebertaV2Model", "DebertaV2ForMaskedLM", "DebertaV2ForSequenceClassification"},
    design_of<read_second, tensors_of_second, encoder_facts, Encoder>,
    {
     {"deberta-v3-base",
      R"({"hidden_size":768,"num_hidden_layers":12,"num_attention_heads":12,
"intermediate_size":3072,"max_position_embeddings":512,"relative_attention":true,
"position_buckets":256,"norm_rel_ebd":"layer_norm","share_att_key":true,
"pos_att_type":"p2c|c2p","position_biased_input":false,"vocab_size":128100})"},
     {"tiny-deberta-v2",
      R"({"architectures":["DebertaV2ForSequenceClassification"],"num_labels":3,"hidden_size":72,
"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":136,
"max_position_embeddings":512,"relative_attention":true,"position_buckets":16,
"norm_rel_ebd":"layer_norm","share_att_key":true,"pos_att_type":["p2c","c2p"],
"position_biased_input":false,"vocab_size":331})"},
    }};

}  // namespace quire
