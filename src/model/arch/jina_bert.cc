// Jina-BERT v2 (Guenther et al., 2023): a BERT without positions, whose scores fall with the
// distance to either side, and with a gated block. Its files call themselves bert and say "alibi".
// GGUF has gate and up apart or, newer, as one. Models whose queries and keys are normed (v2-code)
// have tensors that are refused by name. The row is kJinaBert.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/encoder/encoder.h"
#include "model/encoder/pooled_config.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

constexpr int kSegmentsMax = 64;

void read_block(const ConfigFields& fields, EncoderConfig& c) {
  c.has_gate = c.has_down_bias = true;
  c.has_mlp_bias = false;
  const std::string type = fields.string({"feed_forward_type", ""}, "geglu");
  if (type == "reglu") c.activation = Activation::kRelu;
  if (type != "geglu" && type != "reglu") {
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported, only geglu and reglu",
                      fields.name_of({"feed_forward_type", ""}), type.substr(0, 64)));
  }
  fields.refuse_unless({"hidden_act", ""}, "gelu");
  c.is_gguf_gate_fused = fields.tensor({"", "blk.0.ffn_gate.weight"}) == nullptr;
}

EncoderConfig read(const ConfigFields& fields, int vocab) {
  EncoderConfig c;
  const Key heads = {"num_attention_heads", "attention.head_count"};
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  c.heads = c.kv_heads = fields.integer(heads, 1, kHeadsMax);
  c.head_dim = c.d_model / c.heads;
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax);
  c.segments = fields.integer({"type_vocab_size", ""}, 1, kSegmentsMax, 2);
  c.eps = static_cast<float>(fields.number({"layer_norm_eps", "attention.layer_norm_epsilon"},
                                           kRmsEpsMin, kRmsEpsMax, 1e-12));
  check_width(fields, heads, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim);
  c.slopes = alibi_slopes(c.heads);
  read_block(fields, c);
  fields.refuse_unless({"position_embedding_type", ""}, "alibi");
  fields.refuse({"is_decoder", "attention.causal"});
  fields.refuse({"add_cross_attention", ""});
  fields.refuse_unless({"emb_pooler", ""}, "mean");
  // How its own code computes the same, and a head that guesses words, which is left out.
  for (const char* name : {"alibi_starting_size", "tie_word_embeddings"}) fields.mark({name, ""});
  c.pooled = is_classifier(fields)
                 ? read_classifier(fields, {.dense_hf = "bert.pooler.dense"}, c.d_model)
                 : read_pooled(fields, Pool::kMean);
  return c;
}

EncoderNames names_of(const EncoderConfig& c) {
  EncoderNames n;
  n.prefixes = {"", "bert."};
  n.words = "embeddings.word_embeddings";
  n.segments = "embeddings.token_type_embeddings";
  n.embed_norm = "embeddings.LayerNorm";
  n.layer = "encoder.layer.{}.";
  n.q = "attention.self.query";
  n.k = "attention.self.key";
  n.v = "attention.self.value";
  n.o = "attention.output.dense";
  n.attn_after = "attention.output.LayerNorm";
  set_fused_gate(n, c, "mlp.gated_layers");
  n.down = "mlp.wo";
  n.ffn_after = "mlp.layernorm";
  return n;
}

TensorRules tensors(const EncoderConfig& c) {
  TensorRules t = encoder_tensors(c, {names_of(c)});
  for (const char* name : {"pooler.*", "bert.pooler.*", "cls.*"}) t.ignore(name);
  return t;
}

bool is_meant(const ConfigFields& fields) {
  return !fields.is_gguf() && fields.string({"position_embedding_type", ""}, "") == "alibi";
}

}  // namespace

extern const Architecture kJinaBert;
constexpr Architecture kJinaBert = {
    "jina-bert-v2",
    {"jina-bert-v2", "bert"},
    {"JinaBertModel", "JinaBertForMaskedLM", "JinaBertForSequenceClassification", "BertModel",
     "BertForMaskedLM", "BertForSequenceClassification"},
    design_of<read, tensors, encoder_facts, Encoder>,
    {
     {"tiny-jina-bert",
      R"({"position_embedding_type":"alibi","hidden_size":96,"num_hidden_layers":2,
"num_attention_heads":6,"intermediate_size":160,"max_position_embeddings":512,"vocab_size":331})"},
    },
    is_meant};

}  // namespace quire
