// ModernBERT (Warner et al., 2024): norms before the blocks (the first block has the embedding's),
// a gated MLP of GELU, no biases, rotary positions; two layers of three see a window to each side
// and turn by a base of their own. The row is kModernBert. Pure functions.
#include <algorithm>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/encoder/encoder.h"
#include "model/encoder/pooled_config.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

constexpr double kTheta = 160000, kWindowTheta = 10000;

void read_sizes(const ConfigFields& fields, EncoderConfig& c) {
  const Key heads = {"num_attention_heads", "attention.head_count"};
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax, 22);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax, 768);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax, 1152);
  c.heads = c.kv_heads = fields.integer(heads, 1, kHeadsMax, 12);
  c.head_dim = c.d_model / c.heads;
  c.context_max =
      fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax, 8192);
  c.eps = static_cast<float>(fields.number({"norm_eps", "attention.layer_norm_epsilon"},
                                           kRmsEpsMin, kRmsEpsMax, 1e-5));
  check_width(fields, heads, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim);
}

// Half of the window to each side.
void read_windows(const ConfigFields& fields, EncoderConfig& c) {
  const int reach = fields.integer({"local_attention", "attention.sliding_window"}, 2, kContextMax,
                                   128) / 2;
  const int pattern = fields.integer(
      {"global_attn_every_n_layers", "attention.sliding_window_pattern"}, 1, kLayersMax, 3);
  for (int i = 0; i < c.layers; ++i) c.windows.push_back(i % pattern != 0 ? reach : 0);
  const Key key = {"layer_types", ""};
  const std::vector<std::string> types = fields.strings(key);
  if (types.empty()) return;
  if (types.size() != c.windows.size()) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: {} types for {} layers",
                             fields.name_of(key), types.size(), c.layers));
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    c.windows[i] = types[i] == "sliding_attention" ? reach : 0;
    if (c.windows[i] > 0 || types[i] == "full_attention") continue;
    fields.fail(error(StatusCode::kUnsupported,
                      "{}: '{}' is not supported, only sliding_attention and full_attention",
                      fields.name_of(key), types[i].substr(0, 64)));
  }
}

// transformers 5 has an object for each kind of layer, transformers 4 a base for each.
void read_ropes(const ConfigFields& fields, EncoderConfig& c) {
  c.rope = c.window_rope = RopeConfig();
  const Key theta = {"global_rope_theta", "rope.freq_base"};
  const Key local = {"local_rope_theta", "rope.freq_base_swa"};
  c.rope->theta = static_cast<float>(fields.number(theta, kThetaMin, kThetaMax, kTheta));
  c.window_rope->theta =
      static_cast<float>(fields.number(local, kThetaMin, kThetaMax, kWindowTheta));
  fields.refuse({"rope_scaling", ""});
  fields.refuse_unless({"", "rope.scaling.type"}, "none");
  fields.refuse_unless({"", "rope.dimension_count"}, c.head_dim);
  const auto parameters = fields.object({"rope_parameters", ""});
  if (!parameters) return;
  if (const auto full = parameters->object("full_attention")) {
    read_rope_parameters(*full, c.head_dim, *c.rope);
  }
  if (const auto sliding = parameters->object("sliding_attention")) {
    read_rope_parameters(*sliding, c.head_dim, *c.window_rope);
  }
}

PooledConfig read_head(const ConfigFields& fields, const EncoderConfig& c) {
  const Key pooling = {"classifier_pooling", ""};
  const std::string way = fields.string(pooling, "cls");
  if (way != "cls" && way != "mean") {
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported, only cls and mean",
                      fields.name_of(pooling), way.substr(0, 64)));
  }
  const bool has_bias = fields.boolean({"classifier_bias", ""}, false);
  const Activation activation = read_activation(fields, "classifier_activation", "gelu");
  if (!is_classifier(fields)) return read_pooled(fields, Pool::kFirst);
  // A GGUF does not say which tokens: those that read such files take the mean of all.
  const bool is_mean = way == "mean" || fields.is_gguf();
  PooledConfig pooled = read_classifier(fields,
                                        {.pool = is_mean ? Pool::kMean : Pool::kFirst,
                                         .dense_hf = "head.dense", .activation = activation,
                                         .has_dense_bias = has_bias, .norm_hf = "head.norm"},
                                        c.d_model);
  if (fields.is_gguf()) {
    const auto has = [&](const char* name) { return fields.tensor({"", name}) != nullptr; };
    if (pooled.stages.size() > 1) {
      pooled.stages.front().has_bias = has("cls.bias");
      if (has("cls.norm.weight")) pooled.stages.front().norm_gguf = "cls.norm";
    }
    pooled.stages.back().has_bias = has("cls.output.bias");
    if (!has("cls.norm.weight")) pooled.stages.front().norm_hf.clear();
  }
  pooled.stages.front().has_norm_bias = c.has_norm_bias;
  pooled.eps = c.eps;
  return pooled;
}

EncoderConfig read(const ConfigFields& fields, int vocab) {
  EncoderConfig c;
  c.vocab = vocab;
  c.norms = EncoderConfig::Norms::kBefore;
  c.has_first_norm = false;
  c.has_final_norm = c.has_gate = true;
  c.is_gguf_fused = c.is_gguf_gate_fused = true;
  read_sizes(fields, c);
  c.has_norm_bias = fields.boolean({"norm_bias", ""}, false);
  c.has_qkv_bias = c.has_o_bias = fields.boolean({"attention_bias", ""}, false);
  c.has_mlp_bias = fields.boolean({"mlp_bias", ""}, false);
  c.activation =
      fields.is_gguf() ? Activation::kGelu : read_activation(fields, "hidden_activation", "gelu");
  read_windows(fields, c);
  read_ropes(fields, c);
  fields.refuse({"", "attention.causal"});
  // Of a head that guesses words; and words of BERT's that its files carry along.
  for (const char* name : {"decoder_bias", "tie_word_embeddings", "sparse_prediction",
                           "sparse_pred_ignore_index", "position_embedding_type",
                           "layer_norm_eps"}) {
    fields.mark({name, ""});
  }
  c.pooled = read_head(fields, c);
  return c;
}

TensorRules tensors(const EncoderConfig& c) {
  EncoderNames n;
  n.prefixes = {"model.", ""};
  n.words = "embeddings.tok_embeddings";
  n.embed_norm = "embeddings.norm";
  n.final_norm = "final_norm";
  n.layer = "layers.{}.";
  n.attn_before = "attn_norm";
  set_fused_qkv(n, c, "attn.Wqkv");
  n.o = "attn.Wo";
  n.ffn_before = "mlp_norm";
  set_fused_gate(n, c, "mlp.Wi");
  n.down = "mlp.Wo";
  TensorRules t = encoder_tensors(c, {n});
  for (const char* name : {"head.*", "decoder.*"}) t.ignore(name);  // to guess words
  return t;
}

}  // namespace

extern const Architecture kModernBert;
constexpr Architecture kModernBert = {
    "modernbert",
    {"modernbert", "modern-bert"},
    {"ModernBertModel", "ModernBertForMaskedLM", "ModernBertForSequenceClassification"},
    design_of<read, tensors, encoder_facts, Encoder>,
    {
     {"modernbert-base", R"({"hidden_size":768,"num_hidden_layers":22,"num_attention_heads":12,
"intermediate_size":1152,"vocab_size":50368})"},
     {"tiny-modernbert", R"({"hidden_size":72,"num_hidden_layers":4,"num_attention_heads":6,
"intermediate_size":104,"local_attention":24,"max_position_embeddings":512,"vocab_size":331})"},
    }};

}  // namespace quire
