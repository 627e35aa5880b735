// Gemma 4 (Google, 2026), its text model: Gemma's blocks with norms before and after, where
// - layers that see all have wider heads, fewer key heads, and turn a part of their frequencies;
//   their values may be their keys as they were before norm and rotation,
// - the last layers attend to what an earlier layer of their kind keeps and keep nothing,
// - a token has a small vector for each layer, of its own and of its embedding, which the layer
//   gates and adds ("per-layer embeddings"),
// - beside the block there may be experts, whose sum is normed before both are added.
// Scores are not divided: queries, keys and values are normed. The row is kGemma4.
// Pure functions, and a model that the thread of the device drives.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"
#include "model/layers/moe.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

std::size_t size(int value) { return static_cast<std::size_t>(value); }

struct LayerShape {
  bool is_local = false;
  int head_dim = 0, kv_heads = 0;
  int ffn = 0;
  int keeper = 0;  // the layer whose keys and values it attends to: itself, or an earlier one
};

struct Gemma4Config {
  int d_model = 0, vocab = 0, context_max = 0, heads = 0;
  float eps = 1e-6f;
  float logit_cap = 0;
  int window = 0;
  Activation activation = Activation::kGeluTanh;
  RopeConfig rope, window_rope;
  std::vector<LayerShape> layers;
  bool has_keys_as_values = false;  // in layers that see all
  int own_width = 0;                // of a token's vector for a layer; 0: there is none
  int own_vocab = 0;
  int experts = 0, used = 0, expert_ffn = 0;  // 0: there are none
  bool has_tied_head = true;

  bool keeps(int layer) const { return layers[size(layer)].keeper == layer; }
};

// Where each layer keeps or finds keys and values.
struct Gemma4Caches {
  std::vector<GroupFacts> groups;
  std::vector<CacheSlot> slots;  // [layers]
};

Gemma4Caches caches_of(const Gemma4Config& c) {
  Gemma4Caches caches;
  std::map<bool, int> group_of;
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    const LayerShape& layer = c.layers[i];
    if (layer.keeper != static_cast<int>(i)) {
      caches.slots.push_back(caches.slots[size(layer.keeper)]);
      continue;
    }
    if (!group_of.contains(layer.is_local)) {
      group_of[layer.is_local] = static_cast<int>(caches.groups.size());
      GroupFacts& group = caches.groups.emplace_back();
      group.name = layer.is_local ? "window" : "all";
      group.window = layer.is_local ? c.window : 0;
      group.heads = c.heads;
      group.kv_heads = layer.kv_heads;
      group.k_width = group.v_width = layer.head_dim;
    }
    const int at = group_of[layer.is_local];
    std::vector<int>& held = caches.groups[size(at)].layers;
    caches.slots.push_back({at, static_cast<int>(held.size())});
    held.push_back(static_cast<int>(i));
  }
  return caches;
}

struct Layer {
  AttentionLayer attention;
  MlpLayer mlp;
  Norm mlp_after;       // of what the plain block gives, where there are experts
  MoeLayer moe;
  Norm router_norm, moe_after, after;
  Weight own_gate, own_up;  // [own, d_model], [d_model, own]
  Norm own_norm;
  float scale = 1;      // on the residual stream, at last
  Workspace* w = nullptr;
};

class Gemma4 : public Model {
 public:
  Gemma4(const Gemma4Config& config, Backend& backend, const ModelOptions& options)
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
  Status load_experts(WeightLoader& loader, const std::string& prefix, Layer& layer);
  void make_workspaces();
  void run_own_vectors();
  void run_block(const Layer& layer);
  void run_own(const Layer& layer, int i);

  Gemma4Config config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  Rope rope_, window_rope_;
  Vector ones_;  // weights of norms that have none
  Weight own_table_, own_projection_;  // [own_vocab, layers * own], [layers * own, d_model]
  Norm own_norm_;
  std::vector<Layer> layers_;
  Workspace w_;                        // what all layers share
  std::map<std::pair<int, int>, Workspace> shaped_;  // by width of queries and of the block
  MoeWorkspace moe_;
  Buffer expert_out_, summed_;         // [tokens, d_model]
  Buffer own_, own_gate_, own_gated_;  // [tokens, layers * own], [tokens, own]
  Program program_;
  std::size_t weight_bytes_ = 0;
};

// --- the forward pass ---

// What every layer will read: (norm(projection of the embedding) + a row of a table) / sqrt(2).
void Gemma4::run_own_vectors() {
  const Gemma4Config& c = config_;
  const float of_table = std::sqrt(static_cast<float>(c.own_width));
  program_.linear(w_.residual, {{&own_projection_, &own_}});
  program_.add(CapOp{&own_, 1 / std::sqrt(static_cast<float>(c.d_model))});
  program_.norm(own_, own_norm_, own_);
  program_.add(GatherOp{&own_table_, &own_, GatherOp::Index::kToken, 0, of_table, true});
  program_.add(CapOp{&own_, 1 / std::sqrt(2.0f)});
}

// The plain block and the experts read the same; what each gives is normed, then their sum.
void Gemma4::run_block(const Layer& layer) {
  Program& p = program_;
  const Workspace& w = *layer.w;
  if (config_.experts == 0) return run_mlp(layer.mlp, p, w);
  const MlpLayer& mlp = layer.mlp;
  p.norm(w.residual, mlp.norm, w.normed);
  p.linear(w.normed, {{&mlp.gate, &w.gate}, {&mlp.up, &w.up}});
  p.gate(mlp.activation, w.gate, w.up, w.gated);
  p.linear(w.gated, {{&mlp.down, &w.branch}});
  p.norm(w.branch, layer.mlp_after, summed_);
  const MoeLayer& moe = layer.moe;
  p.norm(w.residual, layer.router_norm, w.normed);
  p.linear(w.normed, {{&moe.router_weight, &moe_.logits}});
  p.add(RouteOp{&moe_.logits, &moe.router, &moe_.routing});
  p.norm(w.residual, moe.norm, w.normed);
  p.linear(w.normed, {{&moe.gate, &moe_.gate}, {&moe.up, &moe_.up}}, &moe_.routing);
  p.gate(moe.activation, moe_.gate, moe_.up, moe_.gated);
  p.linear(moe_.gated, {{&moe.down, &moe_.out}}, &moe_.routing);
  p.add(CombineOp{&moe_.out, &moe_.routing, &expert_out_, 1, true});
  p.norm_add(expert_out_, layer.moe_after, summed_);
  p.norm_add(summed_, layer.after, w.residual);
}

void Gemma4::run_own(const Layer& layer, int i) {
  Program& p = program_;
  p.linear(w_.residual, {{&layer.own_gate, &own_gate_}});
  p.add(GateOp{&own_gate_, &own_, &own_gated_, config_.activation, nullptr, nullptr,
               i * config_.own_width});
  p.linear(own_gated_, {{&layer.own_up, &w_.branch}});
  p.norm_add(w_.branch, layer.own_norm, w_.residual);
}

void Gemma4::forward(const BatchView& batch, KvStore& kv) {
  program_.clear();
  stem_.begin(program_, w_);
  if (config_.own_width > 0) run_own_vectors();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    run_attention(layer.attention, program_, *layer.w);
    run_block(layer);
    if (config_.own_width > 0) run_own(layer, static_cast<int>(i));
    if (layer.scale != 1) program_.add(CapOp{&w_.residual, layer.scale});
  }
  stem_.end(program_, w_);
  backend_.run(program_, batch, kv);
}

// --- weights ---

// A factor as the table's own type holds it.
float in_type(float value, DType dtype) {
  if (dtype == DType::kBF16) return bf16_to_float(float_to_bf16(value));
  return dtype == DType::kF16 ? half_to_float(float_to_half(value)) : value;
}

Status Gemma4::load_stem(WeightLoader& loader) {
  const Gemma4Config& c = config_;
  stem_.final_norm = rms();
  stem_.logit_cap = c.logit_cap;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  stem_.embedding_scale =
      in_type(std::sqrt(static_cast<float>(c.d_model)), stem_.embedding.dtype);
  if (c.own_width == 0) return ok_status();
  QUIRE_ASSIGN_OR_RETURN(own_table_, loader.table("own_table"));
  QUIRE_ASSIGN_OR_RETURN(own_projection_, loader.matrix("own_projection"));
  own_norm_ = rms();
  own_norm_.heads = static_cast<int>(c.layers.size());
  return load_norm(loader, "own_norm", own_norm_);
}

Status Gemma4::load_experts(WeightLoader& loader, const std::string& prefix, Layer& layer) {
  const Gemma4Config& c = config_;
  layer.mlp_after = layer.moe_after = layer.after = layer.moe.norm = layer.router_norm = rms();
  layer.moe.activation = c.activation;
  Router& router = layer.moe.router;
  router.experts = c.experts;
  router.used = c.used;
  router.is_renormalised = true;
  // The router reads its input normed, scaled column by column and by the root of the width.
  QUIRE_ASSIGN_OR_RETURN(std::vector<float> scale, loader.values(prefix + "router_scale"));
  for (float& value : scale) value /= std::sqrt(static_cast<float>(c.d_model));
  layer.router_norm.weight = backend_.vector(scale);
  QUIRE_ASSIGN_OR_RETURN(router.expert_scale, loader.vector(prefix + "expert_scale"));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "mlp_after", layer.mlp_after));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "moe_after", layer.moe_after));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "block_after", layer.after));
  return load_moe(loader, prefix + "moe.", layer.moe);
}

Status Gemma4::load_layer(WeightLoader& loader, int i, CacheSlot slot) {
  const Gemma4Config& c = config_;
  const LayerShape& shape = c.layers[size(i)];
  const std::string prefix = fmt::format("layers.{}.", i);
  Layer& layer = layers_.emplace_back();
  AttentionLayer& attention = layer.attention;
  attention.norm = layer.mlp.norm = attention.branch.norm = layer.mlp.branch.norm = rms();
  attention.q_rope = attention.k_rope = shape.is_local ? window_rope_ : rope_;
  attention.q_rope.norm = attention.k_rope.norm = rms();
  attention.attend = plain_attention(c.heads, shape.kv_heads, shape.head_dim, slot);
  attention.attend.scale = 1;
  attention.attend.window = shape.is_local ? c.window : 0;
  layer.mlp.activation = c.activation;
  QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, attention));
  attention.v_norm = rms();
  attention.v_norm.heads = shape.kv_heads;
  const std::vector<float> ones(size(shape.head_dim), 1.0f);
  attention.v_norm.weight = backend_.vector(ones);
  QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  if (c.experts > 0) QUIRE_RETURN_IF_ERROR(load_experts(loader, prefix, layer));
  if (c.own_width > 0) {
    layer.own_norm = rms();
    QUIRE_ASSIGN_OR_RETURN(layer.own_gate, loader.matrix(prefix + "own_gate"));
    QUIRE_ASSIGN_OR_RETURN(layer.own_up, loader.matrix(prefix + "own_up"));
    QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "own_norm", layer.own_norm));
  }
  QUIRE_ASSIGN_OR_RETURN(const std::vector<float> scale, loader.values(prefix + "scale"));
  layer.scale = scale[0];
  return ok_status();
}

void Gemma4::make_workspaces() {
  const Gemma4Config& c = config_;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .has_branch = true, .vocab = c.vocab});
  const auto of_tokens = [&](int columns) {
    return backend_.buffer(Rows::kTokens, options_.tokens_max, columns);
  };
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const LayerShape& shape = c.layers[i];
    const int q = c.heads * shape.head_dim, kv = shape.kv_heads * shape.head_dim;
    const auto [at, is_new] = shaped_.try_emplace(std::pair(q, shape.ffn), w_);
    layers_[i].w = &at->second;
    if (!is_new) continue;
    Workspace& w = at->second;
    w.q = of_tokens(q), w.k = of_tokens(kv), w.v = of_tokens(kv), w.attended = of_tokens(q);
    w.gate = of_tokens(shape.ffn), w.up = of_tokens(shape.ffn), w.gated = of_tokens(shape.ffn);
  }
  if (c.own_width > 0) {
    own_ = of_tokens(static_cast<int>(c.layers.size()) * c.own_width);
    own_gate_ = of_tokens(c.own_width);
    own_gated_ = of_tokens(c.own_width);
  }
  if (c.experts == 0) return;
  moe_ = MoeWorkspace::make(backend_, options_,
                            {.d_model = c.d_model, .experts = c.experts, .used = c.used,
                             .ffn = c.expert_ffn});
  expert_out_ = of_tokens(c.d_model);
  summed_ = of_tokens(c.d_model);
}

Status Gemma4::load(WeightLoader& loader) {
  const Gemma4Config& c = config_;
  QUIRE_RETURN_IF_ERROR(load_stem(loader));
  for (const LayerShape& layer : c.layers) {
    Rope& rope = layer.is_local ? window_rope_ : rope_;
    if (rope) continue;
    rope = make_rope(layer.is_local ? c.window_rope : c.rope, layer.head_dim,
                     options_.context_max, backend_);
  }
  const Gemma4Caches caches = caches_of(c);
  layers_.reserve(c.layers.size());
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    QUIRE_RETURN_IF_ERROR(load_layer(loader, static_cast<int>(i), caches.slots[i]));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes - own_table_.bytes;
  make_workspaces();
  return ok_status();
}

// --- what the files say ---

constexpr int kLocal = 1, kWhole = 0;

// What layers that see all have instead: said for all of them, or layer by layer.
void read_wide_layers(const ConfigFields& fields, Gemma4Config& c, int own_dim, int own_heads) {
  const int dim = fields.integer({"global_head_dim", ""}, 2, kHeadDimMax, 512);
  const int heads = fields.integer({"num_global_key_value_heads", ""}, 1, kHeadsMax, own_heads);
  const auto listed = fields.object({"per_layer_config", ""});
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    LayerShape& layer = c.layers[i];
    layer.head_dim = layer.is_local || listed ? own_dim : dim;
    layer.kv_heads = layer.is_local || listed || !c.has_keys_as_values ? own_heads : heads;
    const std::string name = std::to_string(i);
    const auto said = listed ? listed->object({name, ""}) : std::nullopt;
    if (!said) continue;
    layer.head_dim = said->integer({"head_dim", ""}, 2, kHeadDimMax, own_dim);
    layer.kv_heads = said->integer({"num_key_value_heads", ""}, 1, kHeadsMax, own_heads);
  }
  // Those of a kind share a cache.
  for (const LayerShape& layer : c.layers) {
    check_heads(fields, c.heads, layer.kv_heads, layer.head_dim);
    for (const LayerShape& other : c.layers) {
      if (layer.is_local != other.is_local || (layer.head_dim == other.head_dim &&
                                               layer.kv_heads == other.kv_heads)) {
        continue;
      }
      return fields.fail(error(StatusCode::kUnsupported, "{}: heads of {} and of {} in layers of "
                               "one kind", fields.name_of({"per_layer_config", ""}),
                               layer.head_dim, other.head_dim));
    }
  }
}

// The last layers attend to what the last of their kind before them keeps.
void read_sharing(const ConfigFields& fields, Gemma4Config& c, int ffn) {
  const int layers = static_cast<int>(c.layers.size());
  const Key key = {"num_kv_shared_layers", ""};
  const int first = layers - fields.integer(key, 0, layers - 1, 0);
  const bool is_wide = fields.boolean({"use_double_wide_mlp", ""}, false);
  int keeper[2] = {-1, -1};
  for (int i = 0; i < layers; ++i) {
    LayerShape& layer = c.layers[size(i)];
    const int kind = layer.is_local ? kLocal : kWhole;
    if (i < first) keeper[kind] = i;
    layer.keeper = keeper[kind];
    layer.ffn = i >= first && is_wide ? 2 * ffn : ffn;
    if (layer.keeper >= 0) continue;
    layer.keeper = i;
    fields.fail(error(StatusCode::kCorrupt, "{}: no layer before {} keeps what layer {} reads",
                      fields.name_of(key), first, i));
  }
}

void read_kinds(const ConfigFields& fields, int layers, Gemma4Config& c) {
  constexpr int kPattern = 6;  // of files that list nothing
  const Key key = {"layer_types", ""};
  const std::vector<std::string> types = fields.strings(key);
  if (!types.empty() && static_cast<int>(types.size()) != layers) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} types for {} layers", fields.name_of(key),
                      types.size(), layers));
  }
  for (int i = 0; i < layers; ++i) {
    LayerShape& layer = c.layers.emplace_back();
    if (size(i) >= types.size()) {
      layer.is_local = (i + 1) % kPattern != 0 && i + 1 < layers;
      continue;
    }
    layer.is_local = types[size(i)] == "sliding_attention" && i + 1 < layers;
    if (types[size(i)] == "sliding_attention" || types[size(i)] == "full_attention") continue;
    fields.fail(error(StatusCode::kUnsupported,
                      "{}: '{}' is not supported, only sliding_attention and full_attention",
                      fields.name_of(key), types[size(i)].substr(0, 64)));
  }
}

void read_ropes(const ConfigFields& fields, Gemma4Config& c) {
  constexpr float kTurned = 0.25f;  // of files that say nothing
  c.rope.theta = 1e6f;
  c.rope.scaling = RopeScaling::kProportional;
  c.rope.proportion = kTurned;
  const auto parameters = fields.object({"rope_parameters", ""});
  if (!parameters) return;
  for (const LayerShape& layer : c.layers) {
    const auto said = parameters->object(layer.is_local ? "sliding_attention" : "full_attention");
    RopeConfig& rope = layer.is_local ? c.window_rope : c.rope;
    if (!said) continue;
    rope = RopeConfig();
    rope.theta = layer.is_local ? 1e4f : 1e6f;
    read_rope_parameters(*said, layer.head_dim, rope);
  }
}

void read_experts(const ConfigFields& fields, Gemma4Config& c) {
  if (!fields.boolean({"enable_moe_block", ""}, false)) {
    for (const char* name : {"num_experts", "top_k_experts", "moe_intermediate_size"}) {
      fields.mark({name, ""});
    }
    return;
  }
  c.experts = fields.integer({"num_experts", ""}, 1, kExpertsMax);
  c.used = fields.integer({"top_k_experts", ""}, 1, c.experts);
  c.expert_ffn = fields.integer({"moe_intermediate_size", ""}, 1, kFfnMax);
}

Gemma4Config read(const ConfigFields& fields, int vocab) {
  Gemma4Config c;
  c.vocab = vocab;
  const int layers = fields.integer({"num_hidden_layers", ""}, 1, kLayersMax, 30);
  c.d_model = fields.integer({"hidden_size", ""}, 1, kModelWidthMax, 2304);
  c.heads = fields.integer({"num_attention_heads", ""}, 1, kHeadsMax, 8);
  c.context_max = fields.integer({"max_position_embeddings", ""}, 1, kContextMax, 131072);
  c.eps = static_cast<float>(fields.number({"rms_norm_eps", ""}, kRmsEpsMin, kRmsEpsMax, 1e-6));
  c.window = fields.integer({"sliding_window", ""}, 1, kContextMax, 512);
  c.logit_cap = static_cast<float>(fields.number({"final_logit_softcapping", ""}, 0, 1e6, 0.0));
  c.activation = read_activation(fields, "hidden_activation", "gelu_pytorch_tanh");
  c.has_keys_as_values = fields.boolean({"attention_k_eq_v", ""}, false);
  read_kinds(fields, layers, c);
  read_wide_layers(fields, c, fields.integer({"head_dim", ""}, 2, kHeadDimMax, 256),
                   fields.integer({"num_key_value_heads", ""}, 1, kHeadsMax, 4));
  read_sharing(fields, c, fields.integer({"intermediate_size", ""}, 1, kFfnMax, 9216));
  read_ropes(fields, c);
  read_experts(fields, c);
  c.own_width = fields.integer({"hidden_size_per_layer_input", ""}, 0, kModelWidthMax, 256);
  c.own_vocab = fields.integer({"vocab_size_per_layer_input", ""}, 1, kVocabMax, vocab);
  if (c.own_width > 0 && c.own_vocab < vocab) {
    fields.fail(error(StatusCode::kUnsupported, "{}: {} of {} tokens",
                      fields.name_of({"vocab_size_per_layer_input", ""}), c.own_vocab, vocab));
  }
  fields.refuse({"attention_bias", ""});
  // "vision": between the parts of a picture only, of which a text has none.
  if (fields.is_text({"use_bidirectional_attention", ""})) {
    fields.refuse_unless({"use_bidirectional_attention", ""}, "vision");
  }
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""}, true);
  return c;
}

// --- tensors and facts ---

void add_layer(const Gemma4Config& c, int i, TensorRules& t) {
  const LayerShape& shape = c.layers[size(i)];
  const std::size_t d = size(c.d_model), ffn = size(shape.ffn), head = size(shape.head_dim);
  const std::size_t q = size(c.heads) * head, kv = size(shape.kv_heads) * head;
  const auto add = [&](const char* name, const std::string& hf, std::vector<std::size_t> shape_of,
                       Role role = Role::kMatrix) {
    t.add_layer(i, {std::string("layers.{}.") + name, "", "model.layers.{}." + hf,
                    std::move(shape_of), role});
  };
  const auto norm = [&](const char* name, const std::string& hf, std::size_t width) {
    add(name, hf + ".weight", {width}, Role::kNorm);
  };
  norm("attn_norm", "input_layernorm", d);
  norm("attn_post_norm", "post_attention_layernorm", d);
  add("q", "self_attn.q_proj.weight", {q, d});
  norm("q_norm", "self_attn.q_norm", head);
  if (c.keeps(i)) {
    const bool is_one = c.has_keys_as_values && !shape.is_local;
    add("k", "self_attn.k_proj.weight", {kv, d});
    add("v", is_one ? "self_attn.k_proj.weight" : "self_attn.v_proj.weight", {kv, d});
    norm("k_norm", "self_attn.k_norm", head);
  } else {
    for (const char* name : {"k_proj", "v_proj", "k_norm", "v_norm"}) {
      t.ignore(fmt::format("model.layers.{}.self_attn.{}.*", i, name));
    }
  }
  add("o", "self_attn.o_proj.weight", {d, q});
  norm("ffn_norm", "pre_feedforward_layernorm", d);
  add("gate", "mlp.gate_proj.weight", {ffn, d});
  add("up", "mlp.up_proj.weight", {ffn, d});
  add("down", "mlp.down_proj.weight", {d, ffn});
  norm(c.experts > 0 ? "block_after" : "ffn_post_norm", "post_feedforward_layernorm", d);
  add("scale", "layer_scalar", {1}, Role::kVector);
  t.rules.back().center = 1;
  if (c.own_width > 0) {
    add("own_gate", "per_layer_input_gate.weight", {size(c.own_width), d});
    add("own_up", "per_layer_projection.weight", {d, size(c.own_width)});
    norm("own_norm", "post_per_layer_input_norm", d);
  }
  if (c.experts == 0) return;
  const std::size_t experts = size(c.experts), f = size(c.expert_ffn);
  norm("mlp_after", "post_feedforward_layernorm_1", d);
  norm("moe_after", "post_feedforward_layernorm_2", d);
  norm("moe.ffn_norm", "pre_feedforward_layernorm_2", d);
  add("router_scale", "router.scale", {d}, Role::kNorm);
  add("expert_scale", "router.per_expert_scale", {experts}, Role::kNorm);
  add("moe.router", "router.proj.weight", {experts, d}, Role::kRouter);
  const Stored both = "model.layers.{}.experts.gate_up_proj";
  t.add_layer(i, {"layers.{}.moe.experts_gate", "", both.rows(0, 2 * f), {experts, f, d},
                  Role::kExperts});
  t.add_layer(i, {"layers.{}.moe.experts_up", "", both.rows(f, 2 * f), {experts, f, d},
                  Role::kExperts});
  add("moe.experts_down", "experts.down_proj", {experts, d, f}, Role::kExperts);
}

TensorRules tensors(const Gemma4Config& c) {
  const std::size_t d = size(c.d_model), vocab = size(c.vocab);
  TensorRules t;
  t.add({"embed", "", "model.embed_tokens.weight", {vocab, d}, Role::kTable});
  if (c.has_tied_head) {
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  t.add({"final_norm", "", "model.norm.weight", {d}, Role::kNorm});
  if (c.own_width > 0) {
    const std::size_t own = size(c.own_width), all = own * c.layers.size();
    t.add({"own_table", "", "model.embed_tokens_per_layer.weight", {size(c.own_vocab), all},
           Role::kTable});
    t.add({"own_projection", "", "model.per_layer_model_projection.weight", {all, d}});
    t.add({"own_norm", "", "model.per_layer_projection_norm.weight", {own}, Role::kNorm});
  }
  for (std::size_t i = 0; i < c.layers.size(); ++i) add_layer(c, static_cast<int>(i), t);
  t.ignore("*.rotary_emb.inv_freq");
  return t;
}

ModelFacts facts(const Gemma4Config& c) {
  ModelFacts f;
  f.layers = static_cast<int>(c.layers.size());
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.experts = c.experts;
  f.experts_active = c.used;
  f.groups = caches_of(c).groups;
  const auto is_local = [](const LayerShape& layer) { return layer.is_local; };
  const auto local = std::count_if(c.layers.begin(), c.layers.end(), is_local);
  const LayerShape &first = c.layers.front(), &last = c.layers.back();
  int keeping = 0;
  for (int i = 0; i < f.layers; ++i) keeping += c.keeps(i) ? 1 : 0;
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, first.ffn)},
             {"heads", fmt::format("{} of {}, key-value {}; {} of {}, key-value {}", c.heads,
                                   first.head_dim, first.kv_heads, c.heads, last.head_dim,
                                   last.kv_heads)},
             {"cache", fmt::format("of {} of {} layers", keeping, f.layers)},
             {"rope", rope_text(c.rope)},
             {"window rope", rope_text(c.window_rope)},
             {"window", fmt::format("{} in {} of {} layers", c.window, local, f.layers)}};
  if (c.own_width > 0) {
    f.notes.emplace_back("own vectors", fmt::format("{} values a token and layer", c.own_width));
  }
  if (c.experts > 0) {
    f.notes.emplace_back("experts", fmt::format("{} of {} each, {} used", c.experts, c.expert_ffn,
                                                c.used));
  }
  return f;
}

}  // namespace

extern const Architecture kGemma4;
constexpr Architecture kGemma4 = {
    "gemma4",
    {"gemma4_text", "gemma4"},
    {"Gemma4ForCausalLM", "Gemma4ForConditionalGeneration"},
    design_of<read, tensors, facts, Gemma4>,
    {
     {"tiny-gemma4",
      R"({"hidden_size":128,"num_hidden_layers":6,"num_attention_heads":4,"num_key_value_heads":2,
"head_dim":32,"global_head_dim":64,"intermediate_size":160,"vocab_size":331,"sliding_window":40,
"layer_types":["sliding_attention","sliding_attention","full_attention","sliding_attention",
"sliding_attention","full_attention"],"num_kv_shared_layers":2,"use_double_wide_mlp":true,
"hidden_size_per_layer_input":32,"vocab_size_per_layer_input":331,
"max_position_embeddings":2048})"},
     {"tiny-gemma4-experts",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
"head_dim":32,"global_head_dim":64,"num_global_key_value_heads":1,"attention_k_eq_v":true,
"intermediate_size":160,"vocab_size":331,"sliding_window":40,"layer_types":["sliding_attention",
"full_attention"],"hidden_size_per_layer_input":0,"enable_moe_block":true,"num_experts":6,
"top_k_experts":2,"moe_intermediate_size":64,"max_position_embeddings":2048})"},
    }};

}  // namespace quire
