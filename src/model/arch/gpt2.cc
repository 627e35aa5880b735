// GPT-2 (Radford et al., 2019): learned positions, LayerNorm before each block, biases everywhere,
// a plain MLP, and queries, keys and values in one matrix. Hugging Face files hold the matrices
// [inputs, outputs], as the first release had them. The row is kGpt2. Pure functions, and a model
// that the thread of the device drives.
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

struct Gpt2Config {
  int layers = 0;
  int d_model = 0;
  int ffn = 0;
  int heads = 0;
  int vocab = 0;
  int context_max = 0;  // rows of the table of positions
  float eps = 1e-5f;
  Activation activation = Activation::kGeluTanh;
  bool has_tied_head = true;
  bool has_scale = true;           // scores by 1 / sqrt(head_dim)
  bool has_scale_by_layer = false;  // and by 1 / (layer + 1)

  int head_dim() const { return d_model / heads; }
};

struct Layer {
  AttentionLayer attention;
  MlpLayer mlp;
};

class Gpt2 : public Model {
 public:
  Gpt2(const Gpt2Config& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }

  void forward(const BatchView& batch, KvStore& kv) override {
    program_.clear();
    stem_.begin(program_, w_);
    program_.add(GatherOp{&positions_, &w_.residual, GatherOp::Index::kPosition, 0, 1, true});
    for (const Layer& layer : layers_) {
      run_attention(layer.attention, program_, w_);
      run_mlp(layer.mlp, program_, w_);
    }
    stem_.end(program_, w_);
    backend_.run(program_, batch, kv);
  }

 private:
  Gpt2Config config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  Weight positions_;  // [context, d_model]
  std::vector<Layer> layers_;
  Workspace w_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

Status Gpt2::load(WeightLoader& loader) {
  const Gpt2Config& c = config_;
  const Norm layer_norm = {Norm::Kind::kLayer, {}, {}, c.eps};
  stem_.final_norm = layer_norm;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  QUIRE_ASSIGN_OR_RETURN(positions_, loader.table("positions"));
  for (int i = 0; i < c.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    Layer& layer = layers_.emplace_back();
    layer.attention.norm = layer.mlp.norm = layer_norm;
    layer.attention.attend = plain_attention(c.heads, c.heads, c.head_dim(), {0, i});
    if (!c.has_scale) layer.attention.attend.scale = 1;
    if (c.has_scale_by_layer) layer.attention.attend.scale /= static_cast<float>(i + 1);
    layer.mlp.activation = c.activation;
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
    QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes - positions_.bytes;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = c.d_model, .k = c.d_model, .v = c.d_model,
                        .attended = c.d_model, .ffn = c.ffn, .vocab = c.vocab});
  return ok_status();
}

// --- what the files say ---

Gpt2Config read(const ConfigFields& fields, int vocab) {
  Gpt2Config c;
  c.vocab = vocab;
  c.layers = fields.integer({"n_layer", "block_count"}, 1, kLayersMax);
  c.d_model = fields.integer({"n_embd", "embedding_length"}, 1, kModelWidthMax);
  c.heads = fields.integer({"n_head", "attention.head_count"}, 1, kHeadsMax);
  c.context_max = fields.integer({"n_positions", "context_length"}, 1, kContextMax);
  fields.mark({"n_ctx", ""});  // the same once more
  c.ffn = fields.integer({"n_inner", "feed_forward_length"}, 1, kFfnMax, 4 * c.d_model);
  c.eps = static_cast<float>(fields.number(
      {"layer_norm_epsilon", "attention.layer_norm_epsilon"}, kRmsEpsMin, kRmsEpsMax, 1e-5));
  c.activation = read_activation(fields, "activation_function", "gelu_new");
  c.has_scale = fields.boolean({"scale_attn_weights", ""}, true);
  c.has_scale_by_layer = fields.boolean({"scale_attn_by_inverse_layer_idx", ""}, false);
  fields.mark({"reorder_and_upcast_attn", ""});  // an order of computation
  fields.refuse({"add_cross_attention", ""});
  fields.refuse_unless({"", "attention.head_count_kv"}, c.heads);
  c.has_tied_head = fields.is_gguf() ? fields.tensor({"", "output.weight"}) == nullptr
                                     : fields.boolean({"tie_word_embeddings", ""}, true);
  check_width(fields, {"n_head", "attention.head_count"}, c.heads, c.d_model);
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

void add_layer(const Gpt2Config& c, int i, TensorRules& t) {
  const auto d = static_cast<std::size_t>(c.d_model), ffn = static_cast<std::size_t>(c.ffn);
  const auto add = [&](TensorRule rule) { t.add_layer(i, without_prefix(std::move(rule))); };
  const auto norm = [&](const std::string& name, const std::string& hf) {
    for (const auto& [ours, theirs] : {std::pair{"", ".weight"}, std::pair{"_bias", ".bias"}}) {
      add({"layers.{}." + name + ours, "blk.{}." + name + theirs, "transformer.h.{}." + hf + theirs,
           {d}, *ours == '\0' ? Role::kNorm : Role::kBias});
    }
  };
  // Rows [first, first + rows) of a matrix and of its bias.
  const auto linear = [&](const std::string& name, const std::string& gguf, const std::string& hf,
                          std::vector<std::size_t> shape, std::size_t first, std::size_t total) {
    add({"layers.{}." + name, Stored("blk.{}." + gguf + ".weight").rows(first, total),
         Stored("transformer.h.{}." + hf + ".weight").rows(first, total).transposed(), shape});
    add({"layers.{}." + name + "_bias", Stored("blk.{}." + gguf + ".bias").rows(first, total),
         Stored("transformer.h.{}." + hf + ".bias").rows(first, total), {shape[0]}, Role::kBias});
  };
  norm("attn_norm", "ln_1");
  linear("q", "attn_qkv", "attn.c_attn", {d, d}, 0, 3 * d);
  linear("k", "attn_qkv", "attn.c_attn", {d, d}, d, 3 * d);
  linear("v", "attn_qkv", "attn.c_attn", {d, d}, 2 * d, 3 * d);
  linear("o", "attn_output", "attn.c_proj", {d, d}, 0, d);
  norm("ffn_norm", "ln_2");
  linear("up", "ffn_up", "mlp.c_fc", {ffn, d}, 0, ffn);
  linear("down", "ffn_down", "mlp.c_proj", {d, ffn}, 0, d);
}

TensorRules tensors(const Gpt2Config& c) {
  const auto d = static_cast<std::size_t>(c.d_model), vocab = static_cast<std::size_t>(c.vocab);
  TensorRules t;
  t.add(without_prefix({"embed", "token_embd.weight", "transformer.wte.weight", {vocab, d},
                        Role::kTable}));
  // Gathered from and nothing else; small enough to stay as floats.
  t.add(without_prefix({"positions", "position_embd.weight", "transformer.wpe.weight",
                        {static_cast<std::size_t>(c.context_max), d}, Role::kVector}));
  t.add(without_prefix({"final_norm", "output_norm.weight", "transformer.ln_f.weight", {d},
                        Role::kNorm}));
  t.add(without_prefix({"final_norm_bias", "output_norm.bias", "transformer.ln_f.bias", {d},
                        Role::kBias}));
  if (c.has_tied_head) {
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  for (int i = 0; i < c.layers; ++i) add_layer(c, i, t);
  t.ignore("*.attn.bias");  // masks, which positions imply
  t.ignore("*.attn.masked_bias");
  return t;
}

ModelFacts facts(const Gpt2Config& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.groups = {plain_group(c.layers, c.heads, c.heads, c.head_dim())};
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"heads", fmt::format("{} of {}, with biases", c.heads, c.head_dim())},
             {"positions", fmt::format("a table of {}", c.context_max)}};
  return f;
}

}  // namespace

extern const Architecture kGpt2;
constexpr Architecture kGpt2 = {
    "gpt2",
    {"gpt2"},
    {"GPT2LMHeadModel"},
    design_of<read, tensors, facts, Gpt2>,
    {
     {"gpt2-124m",
      R"({"n_embd":768,"n_layer":12,"n_head":12,"n_positions":1024,"vocab_size":50257})"},
     {"tiny-gpt2",
      R"({"n_embd":96,"n_layer":2,"n_head":6,"n_positions":512,"vocab_size":331})"},
    }};

}  // namespace quire
