// BLOOM (BigScience, 2022): no positions but biases that grow with distance (ALiBi), a norm behind
// the embedding, LayerNorm before each block, biases everywhere, a plain MLP. Hugging Face files
// weave queries, keys and values of each head into one matrix. The row is kBloom.
// Pure functions, and a model that the thread of the device drives.
#include <fmt/format.h>

#include <vector>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

struct BloomConfig {
  int layers = 0;
  int d_model = 0;
  int heads = 0;
  int vocab = 0;
  int context_max = 0;  // it was trained for; nothing in it ends there
  float eps = 1e-5f;
  bool has_tied_head = true;

  int head_dim() const { return d_model / heads; }
  int ffn() const { return 4 * d_model; }
};

struct Layer {
  AttentionLayer attention;
  MlpLayer mlp;
};

class Bloom : public Model {
 public:
  Bloom(const BloomConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }

  void forward(const BatchView& batch, KvStore& kv) override {
    program_.clear();
    stem_.begin(program_, w_);
    for (const Layer& layer : layers_) {
      run_attention(layer.attention, program_, w_);
      run_mlp(layer.mlp, program_, w_);
    }
    stem_.end(program_, w_);
    backend_.run(program_, batch, kv);
  }

 private:
  BloomConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Layer> layers_;
  Workspace w_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

Status Bloom::load(WeightLoader& loader) {
  const BloomConfig& c = config_;
  const Norm layer_norm = {Norm::Kind::kLayer, {}, {}, c.eps};
  stem_.embedding_norm = stem_.final_norm = layer_norm;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  const Vector slopes = backend_.vector(alibi_slopes(c.heads));
  for (int i = 0; i < c.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    Layer& layer = layers_.emplace_back();
    layer.attention.norm = layer.mlp.norm = layer_norm;
    layer.attention.attend = plain_attention(c.heads, c.heads, c.head_dim(), {0, i});
    layer.attention.attend.slopes = slopes;
    layer.mlp.activation = Activation::kGeluTanh;
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
    QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = c.d_model, .k = c.d_model, .v = c.d_model,
                        .attended = c.d_model, .ffn = c.ffn(), .vocab = c.vocab});
  return ok_status();
}

// --- what the files say ---

BloomConfig read(const ConfigFields& fields, int vocab) {
  BloomConfig c;
  c.vocab = vocab;
  // Each has a name of its first release and one of later files.
  const auto either = [&](const char* first, Key later, int max) {
    const Key key = fields.has({first, ""}) ? Key(first, "") : later;
    fields.mark(later);
    return fields.integer(key, 1, max);
  };
  c.layers = either("n_layer", {"num_hidden_layers", "block_count"}, kLayersMax);
  c.d_model = either("n_embed", {"hidden_size", "embedding_length"}, kModelWidthMax);
  c.heads = either("n_head", {"num_attention_heads", "attention.head_count"}, kHeadsMax);
  c.context_max = fields.integer({"seq_length", "context_length"}, 1, kContextMax, 2048);
  c.eps = static_cast<float>(fields.number(
      {"layer_norm_epsilon", "attention.layer_norm_epsilon"}, kRmsEpsMin, kRmsEpsMax, 1e-5));
  fields.refuse_unless({"n_inner", "feed_forward_length"}, c.ffn());
  fields.refuse_unless({"", "attention.head_count_kv"}, c.heads);
  fields.refuse({"apply_residual_connection_post_layernorm", ""});
  // How sums are ordered and fused, where it ran; biases are added here, all of them.
  for (const char* name :
       {"slow_but_exact", "skip_bias_add", "skip_bias_add_qkv", "bias_dropout_fusion",
        "masked_softmax_fusion", "attention_softmax_in_fp32", "offset_alibi"}) {
    fields.mark({name, ""});
  }
  c.has_tied_head = fields.is_gguf() ? fields.tensor({"", "output.weight"}) == nullptr
                                     : fields.boolean({"tie_word_embeddings", ""}, true);
  check_width(fields, {"num_attention_heads", "attention.head_count"}, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim());
  return c;
}

// --- tensors and facts ---

// The first release has no "transformer." in front.
TensorRule without_prefix(TensorRule rule) {
  Stored other = rule.hf;
  other.name = other.name.substr(std::string_view("transformer.").size());
  rule.others = {other};
  return rule;
}

void add_layer(const BloomConfig& c, int i, TensorRules& t) {
  const auto d = static_cast<std::size_t>(c.d_model), ffn = static_cast<std::size_t>(c.ffn());
  const auto head = static_cast<std::size_t>(c.head_dim());
  const auto add = [&](const std::string& name, const Stored& gguf, const Stored& hf,
                       std::vector<std::size_t> shape, Role role = Role::kMatrix) {
    const bool is_bias = role == Role::kBias;
    Stored in_gguf = gguf, in_hf = hf;
    in_gguf.name = "blk.{}." + gguf.name + (is_bias ? ".bias" : ".weight");
    in_hf.name = "transformer.h.{}." + hf.name + (is_bias ? ".bias" : ".weight");
    t.add_layer(i, without_prefix({"layers.{}." + name + (is_bias ? "_bias" : ""), in_gguf, in_hf,
                                   std::move(shape), role}));
  };
  const auto linear = [&](const std::string& name, const Stored& gguf, const Stored& hf,
                          std::vector<std::size_t> shape) {
    add(name, gguf, hf, shape);
    add(name, gguf, hf, {shape[0]}, Role::kBias);
  };
  const auto norm = [&](const std::string& name, const std::string& hf) {
    add(name, name, hf, {d}, Role::kNorm);
    add(name, name, hf, {d}, Role::kBias);
  };
  norm("attn_norm", "input_layernorm");
  std::size_t part = 0;
  for (const char* name : {"q", "k", "v"}) {  // [heads, 3, head_dim]; of GGUF [3, heads, head_dim]
    linear(name, Stored("attn_qkv").rows(part * d, 3 * d),
           Stored("self_attention.query_key_value").runs(part * head, head, 3 * head, 3 * d),
           {d, d});
    ++part;
  }
  linear("o", "attn_output", "self_attention.dense", {d, d});
  norm("ffn_norm", "post_attention_layernorm");
  linear("up", "ffn_up", "mlp.dense_h_to_4h", {ffn, d});
  linear("down", "ffn_down", "mlp.dense_4h_to_h", {d, ffn});
}

TensorRules tensors(const BloomConfig& c) {
  const auto d = static_cast<std::size_t>(c.d_model), vocab = static_cast<std::size_t>(c.vocab);
  TensorRules t;
  t.add(without_prefix({"embed", "token_embd.weight", "transformer.word_embeddings.weight",
                        {vocab, d}, Role::kTable}));
  const auto norm = [&](const std::string& name, const std::string& gguf, const std::string& hf) {
    t.add(without_prefix({name, gguf + ".weight", hf + ".weight", {d}, Role::kNorm}));
    t.add(without_prefix({name + "_bias", gguf + ".bias", hf + ".bias", {d}, Role::kBias}));
  };
  norm("embed_norm", "token_embd_norm", "transformer.word_embeddings_layernorm");
  norm("final_norm", "output_norm", "transformer.ln_f");
  if (c.has_tied_head) {
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  for (int i = 0; i < c.layers; ++i) add_layer(c, i, t);
  return t;
}

ModelFacts facts(const BloomConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.groups = {plain_group(c.layers, c.heads, c.heads, c.head_dim())};
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn())},
             {"heads", fmt::format("{} of {}, with biases", c.heads, c.head_dim())},
             {"positions", "linear biases (ALiBi)"}};
  return f;
}

}  // namespace

extern const Architecture kBloom;
constexpr Architecture kBloom = {
    "bloom",
    {"bloom"},
    {},
    design_of<read, tensors, facts, Bloom>,
    {
     {"bloom-560m",
      R"({"hidden_size":1024,"n_layer":24,"n_head":16,"vocab_size":250880})"},
     {"tiny-bloom",
      R"({"hidden_size":96,"n_layer":2,"n_head":6,"vocab_size":331})"},
    }};

}  // namespace quire
