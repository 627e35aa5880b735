// BERT (Devlin et al., 2019): an encoder that reads a text, or a pair of texts, at once and makes
// vectors of it. Every token sees all of them; positions are learned; norms stand behind each
// block, so that the residual stream is always normed. Nothing is remembered beyond a step: the
// layers take turns in the memory of one. The row is kBert. Pure functions, and a model that the
// thread of the device drives.
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"

namespace quire {
namespace {

constexpr int kSegmentsMax = 64;

struct BertConfig {
  int layers = 0, d_model = 0, ffn = 0, heads = 0;
  int vocab = 0, context_max = 0;
  int segments = 0;  // rows of the table of segments
  float eps = 1e-12f;
  Activation activation = Activation::kGelu;
  Pool pool = Pool::kFirst;

  int head_dim() const { return d_model / heads; }
};

struct Layer {
  AttentionLayer attention;
  Norm attention_norm;  // behind it
  MlpLayer mlp;
  Norm mlp_norm;
};

class Bert : public Model {
 public:
  Bert(const BertConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return no_logits_; }
  const Buffer* pooled() const override { return &pooled_; }

  void forward(const BatchView& batch, KvStore& kv) override {
    Program& p = program_;
    p.clear();
    p.gather(words_, w_.residual);
    p.add(GatherOp{&positions_, &w_.residual, GatherOp::Index::kPosition, 0, 1, true});
    p.add(GatherOp{&segments_, &w_.residual, GatherOp::Index::kSegment, 0, 1, true});
    p.norm(w_.residual, norm_, w_.residual);
    for (const Layer& layer : layers_) {
      run_attention(layer.attention, p, w_);
      p.norm(w_.residual, layer.attention_norm, w_.residual);
      run_mlp(layer.mlp, p, w_);
      p.norm(w_.residual, layer.mlp_norm, w_.residual);
    }
    p.add(PoolOp{&w_.residual, &pooled_, options_.pool.value_or(config_.pool)});
    backend_.run(p, batch, kv);
  }

 private:
  BertConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Weight words_, positions_, segments_;
  Norm norm_;
  std::vector<Layer> layers_;
  Workspace w_;  // normed is the residual stream itself
  Buffer pooled_;
  Buffer no_logits_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

Status Bert::load(WeightLoader& loader) {
  const BertConfig& c = config_;
  const Norm layer_norm = {Norm::Kind::kLayer, {}, {}, c.eps};
  QUIRE_ASSIGN_OR_RETURN(words_, loader.table("embed"));
  QUIRE_ASSIGN_OR_RETURN(positions_, loader.table("positions"));
  QUIRE_ASSIGN_OR_RETURN(segments_, loader.table("segments"));
  norm_ = layer_norm;
  QUIRE_RETURN_IF_ERROR(load_norm(loader, "embed_norm", norm_));
  const std::size_t tables = loader.bytes();
  for (int i = 0; i < c.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    Layer& layer = layers_.emplace_back();
    layer.attention.attend = plain_attention(c.heads, c.heads, c.head_dim(), {0, 0});
    layer.attention.attend.is_causal = false;
    layer.mlp.activation = c.activation;
    layer.attention_norm = layer.mlp_norm = layer_norm;
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
    QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "attn_output_norm", layer.attention_norm));
    QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
    QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "output_norm", layer.mlp_norm));
  }
  weight_bytes_ = loader.bytes() - tables;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = c.d_model, .k = c.d_model, .v = c.d_model,
                        .attended = c.d_model, .ffn = c.ffn});
  w_.normed = w_.residual;
  pooled_ = backend_.buffer(Rows::kPooled, options_.pooled_rows_max, c.d_model);
  return ok_status();
}

// --- what the files say ---

// The kinds of GGUF: 0 none, 1 mean, 2 first, 3 last, 4 a rank.
Pool read_pool(const ConfigFields& fields) {
  const Key key = {"", "pooling_type"};
  switch (fields.integer(key, 0, 4, 2)) {
    case 0:
    case 2:
      return Pool::kFirst;
    case 1:
      return Pool::kMean;
    case 3:
      return Pool::kLast;
    default:
      fields.fail(error(StatusCode::kUnsupported, "{}: rankers are not supported",
                        fields.name_of(key)));
      return Pool::kFirst;
  }
}

BertConfig read(const ConfigFields& fields, int vocab) {
  BertConfig c;
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax);
  c.segments = fields.integer({"type_vocab_size", ""}, 1, kSegmentsMax, 2);
  if (const TensorView* table = fields.tensor({"", "token_types.weight"})) {
    c.segments = static_cast<int>(std::min<std::size_t>(table->shape.front(), kSegmentsMax));
  }
  c.eps = static_cast<float>(fields.number({"layer_norm_eps", "attention.layer_norm_epsilon"},
                                           kRmsEpsMin, kRmsEpsMax, 1e-12));
  c.activation =
      fields.is_gguf() ? Activation::kGelu : read_activation(fields, "hidden_act", "gelu");
  c.pool = read_pool(fields);
  fields.refuse_unless({"position_embedding_type", ""}, "absolute");
  fields.refuse({"is_decoder", "attention.causal"});
  fields.refuse({"add_cross_attention", ""});
  fields.mark({"tie_word_embeddings", ""});  // of a head that guesses words, which is left out
  check_width(fields, {"num_attention_heads", "attention.head_count"}, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim());
  return c;
}

// --- tensors and facts ---

using Shape = std::vector<std::size_t>;

std::size_t size(int value) { return static_cast<std::size_t>(value); }

// Models with a head have "bert." in front; the first release calls a norm's parts gamma and beta.
TensorRule with_other_names(TensorRule rule) {
  std::vector<std::string> names = {rule.hf.name};
  for (const auto& [ours, old] : {std::pair{"LayerNorm.weight", "LayerNorm.gamma"},
                                  std::pair{"LayerNorm.bias", "LayerNorm.beta"}}) {
    if (!rule.hf.name.ends_with(ours)) continue;
    const std::size_t kept = rule.hf.name.size() - std::string_view(ours).size();
    names.push_back(rule.hf.name.substr(0, kept) + old);
  }
  for (const std::string& name : names) {
    if (name != rule.hf.name) rule.others.push_back(Stored(name));
    rule.others.push_back(Stored("bert." + name));
  }
  return rule;
}

void add_layer(const BertConfig& c, int i, TensorRules& t) {
  const std::size_t d = size(c.d_model), ffn = size(c.ffn);
  // The weight and the bias of a product or of a norm.
  const auto add = [&](const std::string& name, const std::string& gguf, const std::string& hf,
                       const Shape& shape, Role role) {
    const std::string theirs = "encoder.layer.{}." + hf;
    t.add_layer(i, with_other_names({"layers.{}." + name, "blk.{}." + gguf + ".weight",
                                     theirs + ".weight", shape, role}));
    t.add_layer(i, with_other_names({"layers.{}." + name + "_bias", "blk.{}." + gguf + ".bias",
                                     theirs + ".bias", {shape[0]}, Role::kBias}));
  };
  add("q", "attn_q", "attention.self.query", {d, d}, Role::kMatrix);
  add("k", "attn_k", "attention.self.key", {d, d}, Role::kMatrix);
  add("v", "attn_v", "attention.self.value", {d, d}, Role::kMatrix);
  add("o", "attn_output", "attention.output.dense", {d, d}, Role::kMatrix);
  add("attn_output_norm", "attn_output_norm", "attention.output.LayerNorm", {d}, Role::kNorm);
  add("up", "ffn_up", "intermediate.dense", {ffn, d}, Role::kMatrix);
  add("down", "ffn_down", "output.dense", {d, ffn}, Role::kMatrix);
  add("output_norm", "layer_output_norm", "output.LayerNorm", {d}, Role::kNorm);
}

TensorRules tensors(const BertConfig& c) {
  const std::size_t d = size(c.d_model);
  const auto embedding = [](const char* name, const char* gguf, const std::string& hf, Shape shape,
                            Role role) {
    return with_other_names({name, gguf, "embeddings." + hf, std::move(shape), role});
  };
  TensorRules t;
  t.add(embedding("embed", "token_embd.weight", "word_embeddings.weight", {size(c.vocab), d},
                  Role::kTable));
  t.add(embedding("positions", "position_embd.weight", "position_embeddings.weight",
                  {size(c.context_max), d}, Role::kVector));
  t.add(embedding("segments", "token_types.weight", "token_type_embeddings.weight",
                  {size(c.segments), d}, Role::kVector));
  t.add(embedding("embed_norm", "token_embd_norm.weight", "LayerNorm.weight", {d}, Role::kNorm));
  t.add(embedding("embed_norm_bias", "token_embd_norm.bias", "LayerNorm.bias", {d}, Role::kBias));
  for (int i = 0; i < c.layers; ++i) add_layer(c, i, t);
  // Heads of the tasks that it was trained for; and positions as a list of 0, 1, 2.
  for (const char* name : {"pooler.*", "bert.pooler.*", "cls.*", "*.position_ids"}) t.ignore(name);
  return t;
}

ModelFacts facts(const BertConfig& c) {
  ModelFacts f;
  f.kind = ModelKind::kEncoder;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.can_pool = true;
  f.segments = c.segments > 1 ? 2 : 1;
  f.groups = {plain_group(1, c.heads, c.heads, c.head_dim())};  // one layer's for all: see above
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"heads", fmt::format("{} of {}, of an encoder", c.heads, c.head_dim())},
             {"positions", fmt::format("a table of {}", c.context_max)},
             {"pooling", c.pool == Pool::kMean    ? "mean of all tokens"
                         : c.pool == Pool::kFirst ? "the first token"
                                                  : "the last token"}};
  return f;
}

}  // namespace

extern const Architecture kBert;
constexpr Architecture kBert = {
    "bert",
    {"bert"},
    {"BertModel", "BertForMaskedLM", "BertForPreTraining"},
    design_of<read, tensors, facts, Bert>,
    {
     {"bert-base",
      R"({"hidden_size":768,"num_hidden_layers":12,"num_attention_heads":12,
"intermediate_size":3072,"max_position_embeddings":512,"vocab_size":30522})"},
     {"tiny-bert",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"intermediate_size":160,
"max_position_embeddings":512,"vocab_size":331})"},
    }};

}  // namespace quire
