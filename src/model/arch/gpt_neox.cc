// GPT-NeoX (Black et al., 2022), and Pythia: LayerNorm, biases, a part of each head rotated;
// attention and MLP side by side, each behind a norm of its own, or one behind the other. Queries,
// keys and values are one matrix, woven head by head. The row is kGptNeox.
// Pure functions, and a model that the thread of the device drives.
#include <vector>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

struct NeoxConfig {
  int layers = 0, d_model = 0, ffn = 0, heads = 0;
  int vocab = 0, context_max = 0;
  float eps = 1e-5f;
  Activation activation = Activation::kGelu;
  RopeConfig rope;
  bool is_parallel = true;  // the MLP reads what attention reads
  bool has_biases = true;   // of attention's matrices
  bool has_tied_head = false;

  int head_dim() const { return d_model / heads; }
};

struct Layer {
  AttentionLayer attention;
  MlpLayer mlp;
  Norm mlp_norm;  // of blocks side by side; else none
};

class GptNeox : public Model {
 public:
  GptNeox(const NeoxConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }

  void forward(const BatchView& batch, KvStore& kv) override {
    program_.clear();
    stem_.begin(program_, w_);
    for (const Layer& layer : layers_) {
      // Before attention adds to the residual stream.
      if (layer.mlp_norm) program_.norm(w_.residual, layer.mlp_norm, beside_.normed);
      run_attention(layer.attention, program_, w_);
      run_mlp(layer.mlp, program_, layer.mlp_norm ? beside_ : w_);
    }
    stem_.end(program_, w_);
    backend_.run(program_, batch, kv);
  }

 private:
  NeoxConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Layer> layers_;
  Workspace w_;
  Workspace beside_;  // the same buffers but `normed`, which the MLP reads
  Program program_;
  std::size_t weight_bytes_ = 0;
};

Status GptNeox::load(WeightLoader& loader) {
  const NeoxConfig& c = config_;
  const Norm layer_norm = {Norm::Kind::kLayer, {}, {}, c.eps};
  stem_.final_norm = layer_norm;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  const Rope rope = make_rope(c.rope, c.head_dim(), options_.context_max, backend_);
  for (int i = 0; i < c.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    Layer& layer = layers_.emplace_back();
    layer.attention.norm = layer.mlp.norm = layer_norm;
    layer.attention.q_rope = layer.attention.k_rope = rope;
    layer.attention.attend = plain_attention(c.heads, c.heads, c.head_dim(), {0, i});
    layer.mlp.activation = c.activation;
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
    QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
    if (c.is_parallel) std::swap(layer.mlp_norm, layer.mlp.norm);
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  beside_ = w_ = Workspace::make(backend_, options_,
                                 {.d_model = c.d_model, .q = c.d_model, .k = c.d_model,
                                  .v = c.d_model, .attended = c.d_model, .ffn = c.ffn,
                                  .vocab = c.vocab});
  beside_.normed = backend_.buffer(Rows::kTokens, options_.tokens_max, c.d_model);
  return ok_status();
}

// --- what the files say ---

NeoxConfig read(const ConfigFields& fields, int vocab) {
  NeoxConfig c;
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax);
  c.eps = static_cast<float>(fields.number({"layer_norm_eps", "attention.layer_norm_epsilon"},
                                           kRmsEpsMin, kRmsEpsMax, 1e-5));
  c.activation = read_activation(fields, "hidden_act", "gelu");
  c.is_parallel = fields.boolean("use_parallel_residual", true);
  c.has_biases = fields.boolean({"attention_bias", ""}, true);
  c.has_tied_head = fields.is_gguf() ? fields.tensor({"", "output.weight"}) == nullptr
                                     : fields.boolean({"tie_word_embeddings", ""}, false);
  check_width(fields, {"num_attention_heads", "attention.head_count"}, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim());
  const RopeDefaults defaults = {
      .theta = fields.number({"rotary_emb_base", ""}, kThetaMin, kThetaMax, 10000),
      .partial = fields.number({"rotary_pct", ""}, 0, 1, 0.25)};
  c.rope = read_rope(fields, c.head_dim(), defaults);
  return c;
}

// --- tensors and facts ---

using Shape = std::vector<std::size_t>;

std::size_t size(int value) { return static_cast<std::size_t>(value); }

void add_layer(const NeoxConfig& c, int i, TensorRules& t) {
  const std::size_t d = size(c.d_model), ffn = size(c.ffn), head = size(c.head_dim());
  const auto add = [&](const std::string& name, Stored gguf, Stored hf, Shape shape, Role role) {
    const bool is_bias = role == Role::kBias;
    gguf.name = "blk.{}." + gguf.name + (is_bias ? ".bias" : ".weight");
    hf.name = "gpt_neox.layers.{}." + hf.name + (is_bias ? ".bias" : ".weight");
    t.add_layer(i, {"layers.{}." + name + (is_bias ? "_bias" : ""), std::move(gguf), std::move(hf),
                    std::move(shape), role});
  };
  const auto norm = [&](const char* name, const char* hf) {
    add(name, name, hf, {d}, Role::kNorm);
    add(name, name, hf, {d}, Role::kBias);
  };
  const auto linear = [&](const char* name, const Stored& gguf, const Stored& hf, Shape shape,
                          bool has_bias) {
    add(name, gguf, hf, shape, Role::kMatrix);
    if (has_bias) add(name, gguf, hf, {shape[0]}, Role::kBias);
  };
  norm("attn_norm", "input_layernorm");
  norm("ffn_norm", "post_attention_layernorm");
  std::size_t part = 0;
  for (const char* name : {"q", "k", "v"}) {  // [heads, 3, head_dim]; of GGUF [3, heads, head_dim]
    linear(name, Stored("attn_qkv").rows(part * d, 3 * d),
           Stored("attention.query_key_value").runs(part * head, head, 3 * head, 3 * d), {d, d},
           c.has_biases);
    ++part;
  }
  linear("o", "attn_output", "attention.dense", {d, d}, c.has_biases);
  linear("up", "ffn_up", "mlp.dense_h_to_4h", {ffn, d}, true);
  linear("down", "ffn_down", "mlp.dense_4h_to_h", {d, ffn}, true);
}

TensorRules tensors(const NeoxConfig& c) {
  const std::size_t d = size(c.d_model), vocab = size(c.vocab);
  TensorRules t;
  t.add({"embed", "token_embd.weight", "gpt_neox.embed_in.weight", {vocab, d}, Role::kTable});
  t.add({"final_norm", "output_norm.weight", "gpt_neox.final_layer_norm.weight", {d},
         Role::kNorm});
  t.add({"final_norm_bias", "output_norm.bias", "gpt_neox.final_layer_norm.bias", {d},
         Role::kBias});
  if (c.has_tied_head) {
    t.ignore("embed_out.weight");
  } else {
    t.add({"head", "output.weight", "embed_out.weight", {vocab, d}, Role::kHead});
  }
  for (int i = 0; i < c.layers; ++i) add_layer(c, i, t);
  // Masks and angles, which the configuration implies.
  for (const char* name : {"*.attention.bias", "*.attention.masked_bias", "*.inv_freq"}) {
    t.ignore(name);
  }
  return t;
}

ModelFacts facts(const NeoxConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.groups = {plain_group(c.layers, c.heads, c.heads, c.head_dim())};
  f.notes = {{"width", fmt::format("{}, feed-forward {}{}", c.d_model, c.ffn,
                                   c.is_parallel ? " beside attention" : "")},
             {"heads", fmt::format("{} of {}", c.heads, c.head_dim())},
             {"rope", rope_text(c.rope)}};
  return f;
}

}  // namespace

extern const Architecture kGptNeox;
constexpr Architecture kGptNeox = {
    "gpt_neox",
    {"gpt_neox", "gptneox"},
    {},
    design_of<read, tensors, facts, GptNeox>,
    {
     {"pythia-1b",
      R"({"hidden_size":2048,"num_hidden_layers":16,"num_attention_heads":8,
"intermediate_size":8192,"max_position_embeddings":2048,"vocab_size":50304})"},
     {"tiny-neox",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"intermediate_size":160,
"max_position_embeddings":2048,"vocab_size":331})"},
    }};

}  // namespace quire
