// MPNet (Song et al., 2020): as RoBERTa, without segments, and with biases by distance that all
// layers share. Padding has the id 1, whatever a file says; there are 32 buckets up to 128. The
// row is kMpnet. Pure functions.
#include "formats/config/config_ranges.h"
#include "model/encoder/encoder.h"
#include "model/encoder/pooled_config.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

constexpr int kPositionOffset = 2;
constexpr int kBuckets = 32;

EncoderConfig read(const ConfigFields& fields, int vocab) {
  EncoderConfig c;
  const Key heads = {"num_attention_heads", ""};
  refuse_gguf(fields, "MPNet");
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", ""}, 1, kLayersMax, 12);
  c.d_model = fields.integer({"hidden_size", ""}, 1, kModelWidthMax, 768);
  c.ffn = fields.integer({"intermediate_size", ""}, 1, kFfnMax, 3072);
  c.heads = c.kv_heads = fields.integer(heads, 1, kHeadsMax, 12);
  c.head_dim = c.d_model / c.heads;
  c.positions = fields.integer({"max_position_embeddings", ""}, kPositionOffset + 1, kContextMax,
                               512);
  c.position_offset = kPositionOffset;
  c.context_max = c.positions - kPositionOffset;
  c.eps = static_cast<float>(
      fields.number({"layer_norm_eps", ""}, kRmsEpsMin, kRmsEpsMax, 1e-12));
  c.activation = read_activation(fields, "hidden_act", "gelu");
  fields.refuse_unless({"relative_attention_num_buckets", ""}, kBuckets);
  c.relative = {.buckets = kBuckets};
  fields.mark({"tie_word_embeddings", ""});  // of a head that guesses words, which is left out
  check_width(fields, heads, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim);
  const ClassifierHead head = {.dense_hf = "classifier.dense", .out_hf = "classifier.out_proj"};
  c.pooled = is_classifier(fields) ? read_classifier(fields, head, c.d_model)
                                   : read_pooled(fields, Pool::kFirst);
  return c;
}

TensorRules tensors(const EncoderConfig& c) {
  EncoderNames n;
  n.prefixes = {"", "mpnet."};
  n.words = "embeddings.word_embeddings";
  n.positions = "embeddings.position_embeddings";
  n.embed_norm = "embeddings.LayerNorm";
  n.relative_bias = "encoder.relative_attention_bias";
  n.layer = "encoder.layer.{}.";
  n.q = "attention.attn.q";
  n.k = "attention.attn.k";
  n.v = "attention.attn.v";
  n.o = "attention.attn.o";
  n.attn_after = "attention.LayerNorm";
  n.up = "intermediate.dense";
  n.down = "output.dense";
  n.ffn_after = "output.LayerNorm";
  TensorRules t = encoder_tensors(c, {n});
  for (const char* name : {"pooler.*", "mpnet.pooler.*", "lm_head.*"}) t.ignore(name);
  return t;
}

}  // namespace

extern const Architecture kMpnet;
constexpr Architecture kMpnet = {
    "mpnet",
    {"mpnet"},
    {"MPNetModel", "MPNetForMaskedLM", "MPNetForSequenceClassification"},
    design_of<read, tensors, encoder_facts, Encoder>,
    {
     {"mpnet-base", R"({"hidden_size":768,"num_hidden_layers":12,"num_attention_heads":12,
"intermediate_size":3072,"max_position_embeddings":514,"vocab_size":30527})"},
     {"tiny-mpnet", R"({"hidden_size":72,"num_hidden_layers":2,"num_attention_heads":4,
"intermediate_size":136,"max_position_embeddings":514,"vocab_size":331})"},
    }};

}  // namespace quire
