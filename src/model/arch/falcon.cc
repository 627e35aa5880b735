// Falcon (Almazrouei et al., 2023): attention and MLP side by side over one norm (7B) or one norm
// each (40B), rotary positions, one key head (7B) or a few; and Falcon-RW, whose blocks follow each
// other and whose scores have linear biases (ALiBi). Queries, keys and values are one matrix, each
// key head behind its queries. The row is kFalcon.
// Pure functions, and a model that the thread of the device drives.
#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

struct FalconConfig {
  int layers = 0;
  int d_model = 0;
  int ffn = 0;
  int heads = 0;
  int kv_heads = 0;
  int vocab = 0;
  int context_max = 0;
  float eps = 1e-5f;
  Activation activation = Activation::kGelu;
  RopeConfig rope;
  bool has_alibi = false;     // instead of rotary positions
  bool has_bias = false;      // of every matrix
  bool is_parallel = true;    // the MLP reads what attention reads
  bool has_two_norms = false;  // of blocks side by side
  bool has_tied_head = true;

  int head_dim() const { return d_model / heads; }
};

struct Layer {
  AttentionLayer attention;
  MlpLayer mlp;
  Norm mlp_norm;  // of the second of two norms; else none
};

class Falcon : public Model {
 public:
  Falcon(const FalconConfig& config, Backend& backend, const ModelOptions& options)
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
  Status load_layer(WeightLoader& loader, int index, const Rope& rope, const Vector& slopes);

  FalconConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Layer> layers_;
  Workspace w_;
  Workspace beside_;  // the same buffers but `normed`, which the MLP reads
  Program program_;
  std::size_t weight_bytes_ = 0;
};

Status Falcon::load_layer(WeightLoader& loader, int index, const Rope& rope,
                          const Vector& slopes) {
  const FalconConfig& c = config_;
  const std::string prefix = fmt::format("layers.{}.", index);
  Layer& layer = layers_.emplace_back();
  AttentionLayer& attention = layer.attention;
  attention.norm = layer.mlp.norm = {Norm::Kind::kLayer, {}, {}, c.eps};
  attention.q_rope = attention.k_rope = rope;
  attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim(), {0, index});
  attention.attend.slopes = slopes;
  layer.mlp.activation = c.activation;
  QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, attention));
  QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  if (c.has_two_norms) std::swap(layer.mlp_norm, layer.mlp.norm);
  return ok_status();
}

// The biases pass the scale of the scores as the products do, and the library keeps them as
// bfloat16.
Vector make_slopes(const FalconConfig& c, Backend& backend) {
  if (!c.has_alibi) return {};
  std::vector<float> slopes = alibi_slopes(c.heads);
  for (float& slope : slopes) {
    slope = bf16_to_float(float_to_bf16(slope)) / std::sqrt(static_cast<float>(c.head_dim()));
  }
  return backend.vector(slopes);
}

Status Falcon::load(WeightLoader& loader) {
  const FalconConfig& c = config_;
  stem_.final_norm = {Norm::Kind::kLayer, {}, {}, c.eps};
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  const Vector slopes = make_slopes(c, backend_);
  Rope rope;
  if (!c.has_alibi) rope = make_rope(c.rope, c.head_dim(), options_.context_max, backend_);
  for (int i = 0; i < c.layers; ++i) QUIRE_RETURN_IF_ERROR(load_layer(loader, i, rope, slopes));
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  const int kv = c.kv_heads * c.head_dim();
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = c.d_model, .k = kv, .v = kv,
                        .attended = c.d_model, .ffn = c.ffn, .vocab = c.vocab});
  beside_ = w_;
  if (c.has_two_norms) {
    beside_.normed = backend_.buffer(Rows::kTokens, options_.tokens_max, c.d_model);
  }
  return ok_status();
}

// --- what the files say ---

// The 40B has one architecture and the others another, with a name for each part of it.
void read_blocks(const ConfigFields& fields, FalconConfig& c) {
  const bool is_new = fields.is_gguf() ? fields.tensor({"", "blk.0.attn_norm_2.weight"}) != nullptr
                                       : fields.boolean({"new_decoder_architecture", ""}, false);
  const bool is_multi_query = fields.boolean({"multi_query", ""}, true);
  c.is_parallel = fields.boolean({"parallel_attn", ""}, true);
  const Key heads = {"num_kv_heads", "attention.head_count_kv"};
  const int of_file = fields.integer(heads, 1, kHeadsMax, fields.is_gguf() ? 1 : c.heads);
  const bool has_one = !is_new && !fields.is_gguf() && is_multi_query;
  c.kv_heads = has_one ? 1 : of_file;
  const int norms = fields.integer({"num_ln_in_parallel_attn", ""}, 1, 2, is_new ? 2 : 1);
  c.has_two_norms = is_new && norms == 2;
  if (is_new && !c.is_parallel) fields.refuse_unless("parallel_attn", "true");
  if (!is_new && norms == 2) fields.refuse_unless("num_ln_in_parallel_attn", 1);
}

FalconConfig read(const ConfigFields& fields, int vocab) {
  FalconConfig c;
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax);
  c.ffn = fields.integer({"ffn_hidden_size", "feed_forward_length"}, 1, kFfnMax, 4 * c.d_model);
  fields.refuse_unless({"ff_factor", ""}, static_cast<double>(c.ffn) / c.d_model);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax,
                                 2048);
  c.eps = static_cast<float>(fields.number(
      {"layer_norm_epsilon", "attention.layer_norm_epsilon"}, kRmsEpsMin, kRmsEpsMax, 1e-5));
  c.activation = read_activation(fields, "activation", "gelu");
  read_blocks(fields, c);
  c.has_alibi = fields.boolean({"alibi", ""}, false);
  c.has_bias = fields.boolean({"bias", ""}, false);
  fields.refuse({"apply_residual_connection_post_layernorm", ""});
  c.has_tied_head = fields.is_gguf() ? fields.tensor({"", "output.weight"}) == nullptr
                                     : fields.boolean({"tie_word_embeddings", ""}, true);
  check_width(fields, {"num_attention_heads", "attention.head_count"}, c.heads, c.d_model);
  check_heads(fields, c.heads, c.kv_heads, c.head_dim());
  c.rope = read_rope(fields, c.head_dim());  // with ALiBi it is said and means nothing
  return c;
}

// --- tensors and facts ---

void add_layer(const FalconConfig& c, int i, TensorRules& t) {
  const auto d = static_cast<std::size_t>(c.d_model), ffn = static_cast<std::size_t>(c.ffn);
  const auto head = static_cast<std::size_t>(c.head_dim());
  const std::size_t kv = static_cast<std::size_t>(c.kv_heads) * head;
  const auto add = [&](const std::string& name, const Stored& gguf, const Stored& hf,
                       std::vector<std::size_t> shape, Role role = Role::kMatrix) {
    const bool is_bias = role == Role::kBias;
    Stored in_gguf = gguf, in_hf = hf;
    in_gguf.name = "blk.{}." + gguf.name + (is_bias ? ".bias" : ".weight");
    in_hf.name = "transformer.h.{}." + hf.name + (is_bias ? ".bias" : ".weight");
    t.add_layer(i, {"layers.{}." + name + (is_bias ? "_bias" : ""), in_gguf, in_hf,
                    std::move(shape), role});
  };
  const auto norm = [&](const std::string& name, const std::string& gguf, const std::string& hf) {
    add(name, gguf, hf, {d}, Role::kNorm);
    add(name, gguf, hf, {d}, Role::kBias);
  };
  const auto linear = [&](const std::string& name, const Stored& gguf, const Stored& hf,
                          std::vector<std::size_t> shape) {
    add(name, gguf, hf, shape);
    if (c.has_bias) add(name, gguf, hf, {shape[0]}, Role::kBias);
  };
  if (c.has_two_norms) {
    norm("attn_norm", "attn_norm_2", "ln_attn");
    norm("ffn_norm", "attn_norm", "ln_mlp");
  } else {
    norm("attn_norm", "attn_norm", "input_layernorm");
    if (!c.is_parallel) norm("ffn_norm", "ffn_norm", "post_attention_layernorm");
  }
  // [kv_heads, queries + key + value, head_dim]; GGUF has all queries, then keys, then values.
  const std::size_t total = d + 2 * kv, queries = d / static_cast<std::size_t>(c.kv_heads);
  const Stored woven("self_attention.query_key_value"), plain("attn_qkv");
  const std::size_t every = queries + 2 * head;
  linear("q", plain.rows(0, total), woven.runs(0, queries, every, total), {d, d});
  linear("k", plain.rows(d, total), woven.runs(queries, head, every, total), {kv, d});
  linear("v", plain.rows(d + kv, total), woven.runs(queries + head, head, every, total), {kv, d});
  linear("o", "attn_output", "self_attention.dense", {d, d});
  linear("up", "ffn_up", "mlp.dense_h_to_4h", {ffn, d});
  linear("down", "ffn_down", "mlp.dense_4h_to_h", {d, ffn});
}

TensorRules tensors(const FalconConfig& c) {
  const auto d = static_cast<std::size_t>(c.d_model), vocab = static_cast<std::size_t>(c.vocab);
  TensorRules t;
  t.add({"embed", "token_embd.weight", "transformer.word_embeddings.weight", {vocab, d},
         Role::kTable});
  t.add({"final_norm", "output_norm.weight", "transformer.ln_f.weight", {d}, Role::kNorm});
  t.add({"final_norm_bias", "output_norm.bias", "transformer.ln_f.bias", {d}, Role::kBias});
  if (c.has_tied_head) {
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  for (int i = 0; i < c.layers; ++i) add_layer(c, i, t);
  t.ignore("*.rotary_emb.inv_freq");  // implied by the configuration
  t.ignore("*.maybe_rotary.inv_freq");
  return t;
}

ModelFacts facts(const FalconConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.groups = {plain_group(c.layers, c.heads, c.kv_heads, c.head_dim())};
  f.notes = {{"width", fmt::format("{}, feed-forward {}{}", c.d_model, c.ffn,
                                   c.is_parallel ? " beside attention" : "")},
             {"heads", fmt::format("{} of {}, key-value {}{}", c.heads, c.head_dim(), c.kv_heads,
                                   c.has_bias ? ", with biases" : "")},
             {"positions", c.has_alibi ? "linear biases (ALiBi)" : rope_text(c.rope)}};
  return f;
}

}  // namespace

extern const Architecture kFalcon;
constexpr Architecture kFalcon = {
    "falcon",
    {"falcon"},
    {},
    design_of<read, tensors, facts, Falcon>,
    {
     {"falcon-7b",
      R"({"hidden_size":4544,"num_hidden_layers":32,"num_attention_heads":71,"vocab_size":65024})"},
     {"tiny-falcon",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"vocab_size":331})"},
     {"tiny-falcon-two-norms",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"vocab_size":331,
"new_decoder_architecture":true,"num_kv_heads":2,"tie_word_embeddings":false})"},
     {"tiny-falcon-rw",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"vocab_size":331,
"alibi":true,"bias":true,"multi_query":false,"parallel_attn":false})"},
    }};

}  // namespace quire
