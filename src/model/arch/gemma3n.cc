// Gemma 3n (Google, 2025), its text model: Gemma's attention and blocks over four residual streams,
// of which the layers compute one ("alternating updates", Baykal et al., 2023): a layer predicts
// all streams as blends of each other, computes the active one, and corrects the others by how far
// the prediction was off; a learned low-rank way beside attention ("LAuReL", Menghani et al.,
// 2024); vectors of a token for each layer; blocks that keep only gates far above their mean. The
// last layers attend to what an earlier layer of their kind keeps. The row is kGemma3n.
// Pure functions, and a model that the thread of the device drives.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/gemma/kept_caches.h"
#include "model/layers/mlp.h"
#include "model/layers/gemma/own_vectors.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

std::size_t size(int value) { return static_cast<std::size_t>(value); }

struct Gemma3nConfig {
  int layers = 0, d_model = 0, vocab = 0, context_max = 0;
  int heads = 0, kv_heads = 0, head_dim = 0, window = 0;
  float eps = 1e-6f, logit_cap = 30;
  Activation activation = Activation::kGeluTanh;
  RopeConfig rope, window_rope;
  std::vector<int> ffn;                // [layers]
  std::vector<float> cutoffs;          // [layers] deviations above the mean; 0: every gate counts
  std::vector<KeptLayer> kept;         // [layers]
  OwnShape own;
  int streams = 4, active = 0;
  int low_rank = 64;
  bool scales_corrected = true;
  bool has_tied_head = true;

  int ffn_max() const { return *std::max_element(ffn.begin(), ffn.end()); }
};

struct Layer {
  AttentionLayer attention;
  MlpLayer mlp;
  float cutoff = 0;
  Weight low_in, low_out;  // [rank, d_model], [d_model, rank]
  Norm low_norm;
  Norm router_norm;        // with the scale of what the router reads
  Weight router;           // [streams, d_model]
  Weight prediction;       // [streams * streams, streams]
  Weight correction;       // [streams, streams]
  Norm corrected;          // columns scaled
};

class Gemma3n : public Model {
 public:
  Gemma3n(const Gemma3nConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }
  void forward(const BatchView& batch, KvStore& kv) override;

 private:
  Norm rms() const { return {Norm::Kind::kRms, {}, {}, config_.eps}; }
  Status load_stem(WeightLoader& loader);
  Status load_layer(WeightLoader& loader, int i, CacheSlot slot);
  void make_workspaces();
  void spread();
  void gather();
  void route(const Layer& layer, const Buffer& x);
  void predict(const Layer& layer);
  void compute(const Layer& layer);
  void correct(const Layer& layer, int i);

  Gemma3nConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Weight> spread_, gather_;  // of each stream but the first: [d_model, d_model]
  Norm copy_;                            // what is read is written
  OwnVectors own_;
  std::vector<Layer> layers_;
  Workspace w_;                          // `residual`: of the active stream, while it is computed
  std::vector<Buffer> streams_, predicted_;  // [tokens, d_model] each
  Buffer low_;                               // [tokens, rank]
  Buffer modes_, blends_, corrections_;      // [tokens, streams], [.., streams^2], [.., streams]
  Program program_;
  std::size_t weight_bytes_ = 0;
};

// --- the forward pass ---

// The first stream is the embedding; the others are of its magnitude.
void Gemma3n::spread() {
  constexpr float kLeast = 1e-5f;  // of a mean square
  Program& p = program_;
  for (std::size_t i = 1; i < streams_.size(); ++i) {
    p.linear(streams_[0], {{&spread_[i - 1], &streams_[i]}});
    p.add(MatchOp{&streams_[i], &streams_[0], kLeast});
  }
}

// Their mean, after a way back of each.
void Gemma3n::gather() {
  constexpr float kLeast = 1e-5f;
  Program& p = program_;
  p.norm(streams_[0], copy_, w_.residual);
  for (std::size_t i = 1; i < streams_.size(); ++i) {
    p.linear(streams_[i], {{&gather_[i - 1], &w_.branch}});
    p.add(MatchOp{&w_.branch, &streams_[0], kLeast});
    p.add_to(w_.branch, w_.residual, 1);
  }
  p.add(CapOp{&w_.residual, 1 / static_cast<float>(streams_.size())});
}

void Gemma3n::route(const Layer& layer, const Buffer& x) {
  Program& p = program_;
  p.norm(x, layer.router_norm, w_.normed);
  p.linear(w_.normed, {{&layer.router, &modes_}});
  p.add(GateOp{&modes_, nullptr, &modes_, Activation::kTanh});
}

void Gemma3n::predict(const Layer& layer) {
  Program& p = program_;
  route(layer, streams_[size(config_.active)]);
  p.linear(modes_, {{&layer.prediction, &blends_}});
  for (int to = 0; to < config_.streams; ++to) {
    p.norm(streams_[size(to)], copy_, predicted_[size(to)]);
    for (int from = 0; from < config_.streams; ++from) {
      p.add(BlendOp{&streams_[size(from)], &blends_, to * config_.streams + from, 0,
                    &predicted_[size(to)]});
    }
  }
}

// Attention beside the low-rank way, then the block, on the active stream.
void Gemma3n::compute(const Layer& layer) {
  Program& p = program_;
  p.norm(predicted_[size(config_.active)], copy_, w_.residual);
  run_attention(layer.attention, p, w_);
  p.norm(predicted_[size(config_.active)], layer.attention.norm, w_.normed);
  p.linear(w_.normed, {{&layer.low_in, &low_}});
  p.linear(low_, {{&layer.low_out, &w_.branch}});
  p.add_to(w_.normed, w_.residual, 1);
  p.norm_add(w_.branch, layer.low_norm, w_.residual);
  p.add(CapOp{&w_.residual, 1 / std::sqrt(2.0f)});
  const MlpLayer& mlp = layer.mlp;
  if (layer.cutoff == 0) return run_mlp(mlp, p, w_);
  p.norm(w_.residual, mlp.norm, w_.normed);
  p.linear(w_.normed, {{&mlp.gate, &w_.gate}, {&mlp.up, &w_.up}});
  p.add(CutoffOp{&w_.gate, layer.cutoff});
  p.gate(mlp.activation, w_.gate, w_.up, w_.gated);
  add_branch(p, w_.gated, mlp.down, mlp.down_bias, mlp.branch, w_);
}

// Every stream moves by what the prediction of the active one lacked.
void Gemma3n::correct(const Layer& layer, int i) {
  Program& p = program_;
  const std::size_t active = size(config_.active);
  route(layer, w_.residual);
  p.linear(modes_, {{&layer.correction, &corrections_}});
  p.add_to(predicted_[active], w_.residual, -1);
  for (int to = 0; to < config_.streams; ++to) {
    p.norm(predicted_[size(to)], copy_, streams_[size(to)]);
    p.add(BlendOp{&w_.residual, &corrections_, to, 1, &streams_[size(to)]});
  }
  std::vector<const Buffer*> others;
  for (std::size_t to = 1; to < streams_.size(); ++to) others.push_back(&streams_[to]);
  p.norm(streams_[active], config_.scales_corrected ? layer.corrected : copy_, w_.normed);
  own_.run_layer(p, i, w_.normed, w_.branch, others);
}

void Gemma3n::forward(const BatchView& batch, KvStore& kv) {
  program_.clear();
  stem_.begin(program_, w_);
  program_.norm(w_.residual, copy_, streams_[0]);
  own_.begin(program_, streams_[0]);
  spread();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    predict(layers_[i]);
    compute(layers_[i]);
    correct(layers_[i], static_cast<int>(i));
  }
  gather();
  stem_.end(program_, w_);
  backend_.run(program_, batch, kv);
}

// --- weights ---

Status Gemma3n::load_stem(WeightLoader& loader) {
  const Gemma3nConfig& c = config_;
  stem_.final_norm = rms();
  stem_.logit_cap = c.logit_cap;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  stem_.embedding_scale =
      rounded_as(stem_.embedding.dtype, std::sqrt(static_cast<float>(c.d_model)));
  for (int i = 1; i < c.streams; ++i) {
    QUIRE_ASSIGN_OR_RETURN(spread_.emplace_back(), loader.matrix(fmt::format("spread.{}", i)));
    QUIRE_ASSIGN_OR_RETURN(gather_.emplace_back(), loader.matrix(fmt::format("gather.{}", i)));
  }
  return own_.load(loader, c.own, c.activation, c.eps, backend_, options_);
}

Status Gemma3n::load_layer(WeightLoader& loader, int i, CacheSlot slot) {
  const Gemma3nConfig& c = config_;
  const bool is_local = c.kept[size(i)].is_local;
  const std::string prefix = fmt::format("layers.{}.", i);
  Layer& layer = layers_[size(i)];
  AttentionLayer& attention = layer.attention;
  attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, slot);
  attention.attend.window = is_local ? c.window : 0;
  QUIRE_RETURN_IF_ERROR(load_normed_attention(loader, prefix, c.eps, backend_, attention));
  layer.mlp.norm = layer.mlp.branch.norm = rms();
  layer.mlp.activation = c.activation;
  layer.cutoff = c.cutoffs[size(i)];
  QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  layer.low_norm = layer.router_norm = rms();
  QUIRE_ASSIGN_OR_RETURN(layer.low_in, loader.matrix(prefix + "low_in"));
  QUIRE_ASSIGN_OR_RETURN(layer.low_out, loader.matrix(prefix + "low_out"));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "low_norm", layer.low_norm));
  QUIRE_ASSIGN_OR_RETURN(std::vector<float> scale, loader.values(prefix + "router_norm"));
  for (float& value : scale) value /= static_cast<float>(c.d_model);
  layer.router_norm.weight = backend_.vector(scale);
  QUIRE_ASSIGN_OR_RETURN(layer.router, loader.matrix(prefix + "router"));
  QUIRE_ASSIGN_OR_RETURN(layer.prediction, loader.matrix(prefix + "prediction"));
  QUIRE_ASSIGN_OR_RETURN(layer.correction, loader.matrix(prefix + "correction"));
  layer.corrected.kind = Norm::Kind::kScale;
  QUIRE_ASSIGN_OR_RETURN(layer.corrected.weight, loader.vector(prefix + "corrected_scale"));
  return ok_status();
}

void Gemma3n::make_workspaces() {
  const Gemma3nConfig& c = config_;
  const int q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = kv, .v = kv, .attended = q,
                        .has_branch = true, .ffn = c.ffn_max(), .vocab = c.vocab});
  const auto of_tokens = [&](int columns) {
    return backend_.buffer(Rows::kTokens, options_.tokens_max, columns);
  };
  for (int i = 0; i < c.streams; ++i) {
    streams_.push_back(of_tokens(c.d_model));
    predicted_.push_back(of_tokens(c.d_model));
  }
  low_ = of_tokens(c.low_rank);
  modes_ = of_tokens(c.streams);
  blends_ = of_tokens(c.streams * c.streams);
  corrections_ = of_tokens(c.streams);
}

Status Gemma3n::load(WeightLoader& loader) {
  const Gemma3nConfig& c = config_;
  QUIRE_RETURN_IF_ERROR(load_stem(loader));
  const Rope rope = make_rope(c.rope, c.head_dim, options_.context_max, backend_);
  const Rope window_rope = make_rope(c.window_rope, c.head_dim, options_.context_max, backend_);
  const KeptCaches caches = keep_caches(c.kept, c.heads, c.window);
  layers_.resize(size(c.layers));
  for (int i = 0; i < c.layers; ++i) {
    AttentionLayer& attention = layers_[size(i)].attention;
    attention.q_rope = attention.k_rope = c.kept[size(i)].is_local ? window_rope : rope;
    QUIRE_RETURN_IF_ERROR(load_layer(loader, i, caches.slots[size(i)]));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes - own_.table_bytes();
  make_workspaces();
  return ok_status();
}

// --- what the files say ---

// How many deviations above the mean so large a share of normal values is below.
float deviations_of(double share) {
  double low = -10, high = 10;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < share ? low : high) = middle;
  }
  return static_cast<float>(low);
}

// What GGUF says instead of shares; of none it is less than any number.
void read_deviations(const ConfigFields& fields, Gemma3nConfig& c) {
  constexpr double kAny = std::numeric_limits<double>::infinity(), kMax = 10;
  const Key key = {"", "activation_sparsity_scale"};
  const std::vector<double> deviations = fields.numbers(key, -kAny, kMax);
  if (static_cast<int>(deviations.size()) != c.layers) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} values for {} layers", fields.name_of(key),
                      deviations.size(), c.layers));
  }
  for (const double value : deviations) {
    c.cutoffs.push_back(value == -kAny ? 0 : static_cast<float>(value));
  }
  c.cutoffs.resize(size(c.layers));
}

void read_blocks(const ConfigFields& fields, Gemma3nConfig& c) {
  constexpr int kSparseLayers = 10;  // the first ones, of files that say nothing
  constexpr double kShare = 0.95;
  const Key widths = {"intermediate_size", "feed_forward_length"};
  c.ffn = fields.integers_per_layer(widths, c.layers, 1, kFfnMax, 16384);
  for (const int width : c.ffn) {
    if (width == c.ffn.front()) continue;
    fields.fail(error(StatusCode::kUnsupported, "{}: {} in one layer, {} in another",
                      fields.name_of(widths), c.ffn.front(), width));
    break;
  }
  if (fields.is_gguf()) return read_deviations(fields, c);
  const Key key = {"activation_sparsity_pattern", ""};
  const std::vector<double> shares = fields.numbers(key, 0, 1 - 1e-9);
  if (!shares.empty() && static_cast<int>(shares.size()) != c.layers) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} values for {} layers", fields.name_of(key),
                      shares.size(), c.layers));
  }
  for (int i = 0; i < c.layers; ++i) {
    const bool is_sparse = c.layers > kSparseLayers && i < kSparseLayers;
    const double share = size(i) < shares.size() ? shares[size(i)] : is_sparse ? kShare : 0;
    c.cutoffs.push_back(share > 0 ? deviations_of(share) : 0);
  }
}

void read_streams(const ConfigFields& fields, Gemma3nConfig& c) {
  constexpr int kStreamsMax = 16;
  c.streams = fields.integer({"altup_num_inputs", "altup.num_inputs"}, 2, kStreamsMax, 4);
  c.active = fields.integer({"altup_active_idx", "altup.active_idx"}, 0, c.streams - 1, 0);
  c.scales_corrected = fields.boolean({"altup_correct_scale", ""}, true);
  fields.mark({"altup_coef_clip", ""});  // while a model is trained
  // GGUF leaves it to the tensors.
  const TensorView* low = fields.tensor({"", "blk.0.laurel_l.weight"});
  const int rows = low != nullptr ? static_cast<int>(std::min<std::size_t>(
                                        low->shape.front(), std::size_t{kModelWidthMax}))
                                  : 64;
  c.low_rank = fields.integer({"laurel_rank", ""}, 1, kModelWidthMax, rows);
}

Gemma3nConfig read(const ConfigFields& fields, int vocab) {
  constexpr int kPattern = 5;
  Gemma3nConfig c;
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax, 35);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax, 2048);
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax, 8);
  c.kv_heads = fields.integer({"num_key_value_heads", "attention.head_count_kv"}, 1, kHeadsMax, 2);
  c.head_dim = fields.integer({"head_dim", "attention.key_length"}, 2, kHeadDimMax, 256);
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
  c.context_max =
      fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax, 32768);
  const Key eps = {"rms_norm_eps", "attention.layer_norm_rms_epsilon"};
  c.eps = static_cast<float>(fields.number(eps, kRmsEpsMin, kRmsEpsMax, 1e-6));
  c.window = fields.integer({"sliding_window", "attention.sliding_window"}, 1, kContextMax, 512);
  const Key cap = "final_logit_softcapping";
  const bool is_null = fields.has_name(cap) && !fields.has(cap);
  c.logit_cap = static_cast<float>(fields.number(cap, 0, 1e6, is_null ? 0.0 : 30.0));
  fields.mark({"hidden_act", ""});  // overruled by hidden_activation
  c.activation = read_activation(fields, "hidden_activation", "gelu_pytorch_tanh");
  read_kept_kinds(fields, c.layers, kPattern, c.kept);
  const Key shared = {"num_kv_shared_layers", "attention.shared_kv_layers"};
  const int usual = std::min(15, c.layers - 1);
  // The first files of GGUF say it as a float.
  const int count = fields.is_gguf()
                        ? static_cast<int>(fields.number(shared, 0, c.layers - 1, usual))
                        : fields.integer(shared, 0, c.layers - 1, usual);
  read_keepers(fields, shared, count, c.kept);
  for (KeptLayer& layer : c.kept) layer.kv_heads = c.kv_heads, layer.head_dim = c.head_dim;
  read_blocks(fields, c);
  read_two_ropes(fields, c.head_dim, 1e6, c.rope, c.window_rope);
  read_streams(fields, c);
  const Key own_width = {"hidden_size_per_layer_input", "embedding_length_per_layer_input"};
  c.own = {c.d_model, c.layers, fields.integer(own_width, 1, kModelWidthMax, 256),
           fields.integer({"vocab_size_per_layer_input", ""}, 1, kVocabMax,
                          fields.is_gguf() ? vocab : std::min(vocab, 262144))};
  for (const char* name : {"attention_bias", "use_bidirectional_attention"}) {
    fields.refuse({name, ""});
  }
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""},
                                   fields.tensor({"", "output.weight"}) == nullptr);
  return c;
}

// --- tensors and facts ---

void add_layer(const Gemma3nConfig& c, int i, TensorRules& t) {
  const std::size_t d = size(c.d_model), head = size(c.head_dim), ffn = size(c.ffn[size(i)]);
  const std::size_t q = size(c.heads) * head, kv = size(c.kv_heads) * head;
  const std::size_t rank = size(c.low_rank), streams = size(c.streams);
  const auto add = [&](const char* name, const std::string& gguf, const std::string& hf,
                       std::vector<std::size_t> shape, Role role = Role::kMatrix) {
    t.add_layer(i, {std::string("layers.{}.") + name, "blk.{}." + gguf + ".weight",
                    "model.layers.{}." + hf + ".weight", std::move(shape), role});
  };
  add("attn_norm", "attn_norm", "input_layernorm", {d}, Role::kNorm);
  add("attn_post_norm", "post_attention_norm", "post_attention_layernorm", {d}, Role::kNorm);
  add("q", "attn_q", "self_attn.q_proj", {q, d});
  add("q_norm", "attn_q_norm", "self_attn.q_norm", {head}, Role::kNorm);
  if (c.kept[size(i)].keeper == i) {
    add("k", "attn_k", "self_attn.k_proj", {kv, d});
    add("v", "attn_v", "self_attn.v_proj", {kv, d});
    add("k_norm", "attn_k_norm", "self_attn.k_norm", {head}, Role::kNorm);
  } else {
    ignore_kept(i, t);
  }
  add("o", "attn_output", "self_attn.o_proj", {d, q});
  add("ffn_norm", "ffn_norm", "pre_feedforward_layernorm", {d}, Role::kNorm);
  add("gate", "ffn_gate", "mlp.gate_proj", {ffn, d});
  add("up", "ffn_up", "mlp.up_proj", {ffn, d});
  add("down", "ffn_down", "mlp.down_proj", {d, ffn});
  add("ffn_post_norm", "post_ffw_norm", "post_feedforward_layernorm", {d}, Role::kNorm);
  add("low_in", "laurel_l", "laurel.linear_left", {rank, d});
  add("low_out", "laurel_r", "laurel.linear_right", {d, rank});
  add("low_norm", "laurel_post_norm", "laurel.post_laurel_norm", {d}, Role::kNorm);
  add("router_norm", "altup_router_norm", "altup.router_norm", {d}, Role::kNorm);
  add("router", "altup_router", "altup.modality_router", {streams, d}, Role::kRouter);
  add("prediction", "altup_predict_coef", "altup.prediction_coefs", {streams * streams, streams},
      Role::kRouter);
  add("correction", "altup_correct_coef", "altup.correction_coefs", {streams, streams},
      Role::kRouter);
  t.add_layer(i, {"layers.{}.corrected_scale", "blk.{}.altup_correct_scale.weight",
                  "model.layers.{}.altup.correct_output_scale", {d}, Role::kNorm});
}

TensorRules tensors(const Gemma3nConfig& c) {
  const std::size_t d = size(c.d_model), vocab = size(c.vocab);
  TensorRules t;
  t.add({"embed", "token_embd.weight", "model.embed_tokens.weight", {vocab, d}, Role::kTable});
  if (c.has_tied_head) {
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  t.add({"final_norm", "output_norm.weight", "model.norm.weight", {d}, Role::kNorm});
  const Stored spread = "altup_proj.weight", gather = "altup_unembd_proj.weight";
  for (int i = 1; i < c.streams; ++i) {
    const std::size_t first = size(i - 1) * d, all = size(c.streams - 1) * d;
    t.add({fmt::format("spread.{}", i), spread.rows(first, all),
           fmt::format("model.altup_projections.{}.weight", i - 1), {d, d}});
    t.add({fmt::format("gather.{}", i), gather.rows(first, all),
           fmt::format("model.altup_unembed_projections.{}.weight", i - 1), {d, d}});
  }
  add_own_vectors(c.own, t);
  for (int i = 0; i < c.layers; ++i) add_layer(c, i, t);
  t.ignore("*.rotary_emb.inv_freq");
  return t;
}

ModelFacts facts(const Gemma3nConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.groups = keep_caches(c.kept, c.heads, c.window).groups;
  f.notes = {{"width", fmt::format("{} in {} streams, feed-forward {}", c.d_model, c.streams,
                                   c.ffn.front())},
             {"heads", fmt::format("{} of {}, key-value {}, with norms", c.heads, c.head_dim,
                                   c.kv_heads)},
             {"cache", kept_text(c.kept)},
             {"rope", rope_text(c.rope)},
             {"window rope", rope_text(c.window_rope)},
             {"window", window_text(c.kept, c.window)},
             {"own vectors", fmt::format("{} values a token and layer", c.own.width)}};
  return f;
}

}  // namespace

extern const Architecture kGemma3n;
constexpr Architecture kGemma3n = {
    "gemma3n",
    {"gemma3n_text", "gemma3n"},
    {"Gemma3nForCausalLM", "Gemma3nForConditionalGeneration"},
    design_of<read, tensors, facts, Gemma3n>,
    {
     {"tiny-gemma3n",
      R"({"hidden_size":128,"num_hidden_layers":6,"num_attention_heads":4,"num_key_value_heads":2,
"head_dim":32,"intermediate_size":160,"vocab_size":331,"sliding_window":40,
"layer_types":["sliding_attention","sliding_attention","full_attention","sliding_attention",
"sliding_attention","full_attention"],"num_kv_shared_layers":2,
"activation_sparsity_pattern":[0.75,0.75,0.0,0.0,0.0,0.0],"laurel_rank":16,
"hidden_size_per_layer_input":32,"vocab_size_per_layer_input":300,
"max_position_embeddings":2048})"},
    }};

}  // namespace quire
