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
#include "model/layers/gemma/kept_caches.h"
#include "model/layers/gemma/own_vectors.h"
#include "model/layers/mlp.h"
#include "model/layers/moe.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

std::size_t size(int value) { return static_cast<std::size_t>(value); }

struct Gemma4Config {
  int d_model = 0, vocab = 0, context_max = 0, heads = 0;
  float eps = 1e-6f;
  float logit_cap = 0;
  int window = 0;
  Activation activation = Activation::kGeluTanh;
  RopeConfig rope, window_rope;
  std::vector<KeptLayer> layers;
  std::vector<int> ffn;             // [layers]
  bool has_keys_as_values = false;  // in layers that see all
  OwnShape own;
  int experts = 0, used = 0, expert_ffn = 0;  // 0: there are none
  bool has_tied_head = true;

  bool keeps(int layer) const { return layers[size(layer)].keeper == layer; }
};

struct Layer {
  AttentionLayer attention;
  MlpLayer mlp;
  Norm mlp_after;       // of what the plain block gives, where there are experts
  MoeLayer moe;
  Norm router_norm, moe_after, after;
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
  void run_block(const Layer& layer);

  Gemma4Config config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  Rope rope_, window_rope_;
  OwnVectors own_;
  std::vector<Layer> layers_;
  Workspace w_;                        // what all layers share
  std::map<std::pair<int, int>, Workspace> shaped_;  // by width of queries and of the block
  MoeWorkspace moe_;
  Buffer expert_out_, summed_;         // [tokens, d_model]
  Program program_;
  std::size_t weight_bytes_ = 0;
};

// --- the forward pass ---

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
  run_experts(moe, p, w.normed, moe_, expert_out_, true);
  p.norm_add(expert_out_, layer.moe_after, summed_);
  p.norm_add(summed_, layer.after, w.residual);
}

void Gemma4::forward(const BatchView& batch, KvStore& kv) {
  program_.clear();
  stem_.begin(program_, w_);
  const bool has_own = config_.own.width > 0;
  if (has_own) own_.begin(program_, w_.residual);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    run_attention(layer.attention, program_, *layer.w);
    run_block(layer);
    if (has_own) {
      own_.run_layer(program_, static_cast<int>(i), w_.residual, w_.branch, {&w_.residual});
    }
    if (layer.scale != 1) program_.add(CapOp{&w_.residual, layer.scale});
  }
  stem_.end(program_, w_);
  backend_.run(program_, batch, kv);
}

// --- weights ---

Status Gemma4::load_stem(WeightLoader& loader) {
  const Gemma4Config& c = config_;
  stem_.final_norm = rms();
  stem_.logit_cap = c.logit_cap;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  stem_.embedding_scale =
      rounded_as(stem_.embedding.dtype, std::sqrt(static_cast<float>(c.d_model)));
  if (c.own.width == 0) return ok_status();
  return own_.load(loader, c.own, c.activation, c.eps, backend_, options_);
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
  const KeptLayer& shape = c.layers[size(i)];
  const std::string prefix = fmt::format("layers.{}.", i);
  Layer& layer = layers_.emplace_back();
  AttentionLayer& attention = layer.attention;
  attention.q_rope = attention.k_rope = shape.is_local ? window_rope_ : rope_;
  attention.attend = plain_attention(c.heads, shape.kv_heads, shape.head_dim, slot);
  attention.attend.window = shape.is_local ? c.window : 0;
  QUIRE_RETURN_IF_ERROR(load_normed_attention(loader, prefix, c.eps, backend_, attention));
  layer.mlp.norm = layer.mlp.branch.norm = rms();
  layer.mlp.activation = c.activation;
  QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  if (c.experts > 0) QUIRE_RETURN_IF_ERROR(load_experts(loader, prefix, layer));
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
    const KeptLayer& shape = c.layers[i];
    const int q = c.heads * shape.head_dim, kv = shape.kv_heads * shape.head_dim;
    const auto [at, is_new] = shaped_.try_emplace(std::pair(q, c.ffn[i]), w_);
    layers_[i].w = &at->second;
    if (!is_new) continue;
    Workspace& w = at->second;
    w.q = of_tokens(q), w.k = of_tokens(kv), w.v = of_tokens(kv), w.attended = of_tokens(q);
    w.gate = of_tokens(c.ffn[i]), w.up = of_tokens(c.ffn[i]), w.gated = of_tokens(c.ffn[i]);
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
  for (const KeptLayer& layer : c.layers) {
    Rope& rope = layer.is_local ? window_rope_ : rope_;
    if (rope) continue;
    rope = make_rope(layer.is_local ? c.window_rope : c.rope, layer.head_dim,
                     options_.context_max, backend_);
  }
  const KeptCaches caches = keep_caches(c.layers, c.heads, c.window);
  layers_.reserve(c.layers.size());
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    QUIRE_RETURN_IF_ERROR(load_layer(loader, static_cast<int>(i), caches.slots[i]));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes - own_.table_bytes();
  make_workspaces();
  return ok_status();
}

// --- what the files say ---

// What layers that see all have instead: said for all of them, or layer by layer.
void read_wide_layers(const ConfigFields& fields, Gemma4Config& c) {
  const int own_dim = fields.integer({"head_dim", ""}, 2, kHeadDimMax, 256);
  const int own_heads = fields.integer({"num_key_value_heads", ""}, 1, kHeadsMax, 4);
  const int dim = fields.integer({"global_head_dim", ""}, 2, kHeadDimMax, 512);
  const int heads = fields.integer({"num_global_key_value_heads", ""}, 1, kHeadsMax, own_heads);
  const auto listed = fields.object({"per_layer_config", ""});
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    KeptLayer& layer = c.layers[i];
    layer.head_dim = layer.is_local || listed ? own_dim : dim;
    layer.kv_heads = layer.is_local || listed || !c.has_keys_as_values ? own_heads : heads;
    const std::string name = std::to_string(i);
    const auto said = listed ? listed->object({name, ""}) : std::nullopt;
    if (!said) continue;
    layer.head_dim = said->integer({"head_dim", ""}, 2, kHeadDimMax, own_dim);
    layer.kv_heads = said->integer({"num_key_value_heads", ""}, 1, kHeadsMax, own_heads);
  }
}

// GGUF: the size of a head by kind, the number of key heads by layer.
void read_gguf_layers(const ConfigFields& fields, Gemma4Config& c) {
  const auto dim = [&](const char* key, const char* value) {
    const int size_of = fields.integer(key, 2, kHeadDimMax);
    fields.refuse_unless(value, size_of);
    return size_of;
  };
  const int wide = dim("attention.key_length", "attention.value_length");
  const int local = dim("attention.key_length_swa", "attention.value_length_swa");
  const std::vector<int> heads = fields.integers_per_layer(
      "attention.head_count_kv", static_cast<int>(c.layers.size()), 1, kHeadsMax);
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    KeptLayer& layer = c.layers[i];
    layer.head_dim = layer.is_local ? local : wide;
    layer.kv_heads = heads[i];
    // A file without values means its keys.
    if (layer.is_local) continue;
    const std::string name = fmt::format("blk.{}.attn_", i);
    c.has_keys_as_values |= fields.tensor({"", name + "k.weight"}) != nullptr &&
                            fields.tensor({"", name + "v.weight"}) == nullptr;
  }
}

// Those of a kind share a cache.
void check_kinds(const ConfigFields& fields, const Gemma4Config& c) {
  for (const KeptLayer& layer : c.layers) {
    check_heads(fields, c.heads, layer.kv_heads, layer.head_dim);
    for (const KeptLayer& other : c.layers) {
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

void read_sharing(const ConfigFields& fields, Gemma4Config& c) {
  const int layers = static_cast<int>(c.layers.size());
  const Key key = {"num_kv_shared_layers", "attention.shared_kv_layers"};
  const int shared = fields.integer(key, 0, layers - 1, 0);
  read_keepers(fields, key, shared, c.layers);
  if (fields.is_gguf()) {
    c.ffn = fields.integers_per_layer("feed_forward_length", layers, 1, kFfnMax);
    return;
  }
  const int ffn = fields.integer({"intermediate_size", ""}, 1, kFfnMax, 9216);
  const bool is_wide = fields.boolean({"use_double_wide_mlp", ""}, false);
  for (int i = 0; i < layers; ++i) {
    c.ffn.push_back(i >= layers - shared && is_wide ? 2 * ffn : ffn);
  }
}

// GGUF: frequencies that stand have divisors beyond any position.
void read_gguf_ropes(const ConfigFields& fields, Gemma4Config& c) {
  const auto of_kind = [&](bool is_local) {
    const auto found = std::find_if(c.layers.begin(), c.layers.end(), [&](const KeptLayer& layer) {
      return layer.is_local == is_local;
    });
    return found == c.layers.end() ? c.layers.back().head_dim : found->head_dim;
  };
  c.rope = read_rope(fields, of_kind(false), {.theta = 1e6});
  const int local = of_kind(true);
  c.window_rope.theta =
      static_cast<float>(fields.number("rope.freq_base_swa", kThetaMin, kThetaMax, 1e4));
  c.window_rope.dims = fields.integer("rope.dimension_count_swa", 2, local, local);
  if (c.window_rope.dims % 2 != 0) {
    fields.fail(error(StatusCode::kUnsupported, "{}: {} is not an even number",
                      fields.name_of("rope.dimension_count_swa"), c.window_rope.dims));
  }
  if (c.window_rope.dims == local) c.window_rope.dims = 0;
}

void read_ropes(const ConfigFields& fields, Gemma4Config& c) {
  constexpr float kTurned = 0.25f;  // of files that say nothing
  c.rope.theta = 1e6f;
  c.rope.scaling = RopeScaling::kProportional;
  c.rope.proportion = kTurned;
  const auto parameters = fields.object({"rope_parameters", ""});
  if (!parameters) return;
  for (const KeptLayer& layer : c.layers) {
    const auto said = parameters->object(layer.is_local ? "sliding_attention" : "full_attention");
    RopeConfig& rope = layer.is_local ? c.window_rope : c.rope;
    if (!said) continue;
    rope = RopeConfig();
    rope.theta = layer.is_local ? 1e4f : 1e6f;
    read_rope_parameters(*said, layer.head_dim, rope);
  }
}

void read_experts(const ConfigFields& fields, Gemma4Config& c) {
  const Key experts = {"num_experts", "expert_count"};
  const Key used = {"top_k_experts", "expert_used_count"};
  const Key width = {"moe_intermediate_size", "expert_feed_forward_length"};
  const bool has_experts = fields.is_gguf() ? fields.integer(experts, 0, kExpertsMax, 0) > 0
                                            : fields.boolean({"enable_moe_block", ""}, false);
  if (!has_experts) {
    for (const Key& key : {experts, used, width}) fields.mark(key);
    return;
  }
  c.experts = fields.integer(experts, 1, kExpertsMax);
  c.used = fields.integer(used, 1, c.experts);
  c.expert_ffn = fields.integer(width, 1, kFfnMax);
}

Gemma4Config read(const ConfigFields& fields, int vocab) {
  constexpr int kPattern = 6;
  Gemma4Config c;
  c.vocab = vocab;
  const int layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax, 30);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax, 2304);
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax, 8);
  c.context_max =
      fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax, 131072);
  const Key eps = {"rms_norm_eps", "attention.layer_norm_rms_epsilon"};
  c.eps = static_cast<float>(fields.number(eps, kRmsEpsMin, kRmsEpsMax, 1e-6));
  c.window = fields.integer({"sliding_window", "attention.sliding_window"}, 1, kContextMax, 512);
  c.logit_cap = static_cast<float>(fields.number("final_logit_softcapping", 0, 1e6, 0.0));
  c.activation = read_activation(fields, "hidden_activation", "gelu_pytorch_tanh");
  c.has_keys_as_values = fields.boolean({"attention_k_eq_v", ""}, false);
  read_kept_kinds(fields, layers, kPattern, c.layers);
  c.layers.back().is_local = false;  // whatever the file says
  fields.is_gguf() ? read_gguf_layers(fields, c) : read_wide_layers(fields, c);
  check_kinds(fields, c);
  read_sharing(fields, c);
  fields.is_gguf() ? read_gguf_ropes(fields, c) : read_ropes(fields, c);
  read_experts(fields, c);
  const Key own_width = {"hidden_size_per_layer_input", "embedding_length_per_layer_input"};
  c.own = {c.d_model, layers,
           fields.integer(own_width, 0, kModelWidthMax, fields.is_gguf() ? 0 : 256),
           fields.integer({"vocab_size_per_layer_input", ""}, 1, kVocabMax, vocab)};
  if (c.own.width > 0 && c.own.vocab < vocab) {
    fields.fail(error(StatusCode::kUnsupported, "{}: {} of {} tokens",
                      fields.name_of({"vocab_size_per_layer_input", ""}), c.own.vocab, vocab));
  }
  fields.refuse({"attention_bias", ""});
  // "vision": between the parts of a picture only, of which a text has none.
  if (fields.is_text({"use_bidirectional_attention", ""})) {
    fields.refuse_unless({"use_bidirectional_attention", ""}, "vision");
  }
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""},
                                   fields.tensor({"", "output.weight"}) == nullptr);
  return c;
}

// --- tensors and facts ---

void add_layer(const Gemma4Config& c, int i, TensorRules& t) {
  const KeptLayer& shape = c.layers[size(i)];
  const std::size_t d = size(c.d_model), ffn = size(c.ffn[size(i)]), head = size(shape.head_dim);
  const std::size_t q = size(c.heads) * head, kv = size(shape.kv_heads) * head;
  const auto add = [&](const char* name, const std::string& gguf, const std::string& hf,
                       std::vector<std::size_t> shape_of, Role role = Role::kMatrix) {
    t.add_layer(i, {std::string("layers.{}.") + name, "blk.{}." + gguf, "model.layers.{}." + hf,
                    std::move(shape_of), role});
  };
  const auto norm = [&](const char* name, const std::string& gguf, const std::string& hf,
                        std::size_t width) {
    add(name, gguf + ".weight", hf + ".weight", {width}, Role::kNorm);
  };
  norm("attn_norm", "attn_norm", "input_layernorm", d);
  norm("attn_post_norm", "post_attention_norm", "post_attention_layernorm", d);
  add("q", "attn_q.weight", "self_attn.q_proj.weight", {q, d});
  norm("q_norm", "attn_q_norm", "self_attn.q_norm", head);
  if (c.keeps(i)) {
    const bool is_one = c.has_keys_as_values && !shape.is_local;
    add("k", "attn_k.weight", "self_attn.k_proj.weight", {kv, d});
    add("v", is_one ? "attn_k.weight" : "attn_v.weight",
        is_one ? "self_attn.k_proj.weight" : "self_attn.v_proj.weight", {kv, d});
    norm("k_norm", "attn_k_norm", "self_attn.k_norm", head);
  } else {
    ignore_kept(i, t);
  }
  add("o", "attn_output.weight", "self_attn.o_proj.weight", {d, q});
  norm("ffn_norm", "ffn_norm", "pre_feedforward_layernorm", d);
  add("gate", "ffn_gate.weight", "mlp.gate_proj.weight", {ffn, d});
  add("up", "ffn_up.weight", "mlp.up_proj.weight", {ffn, d});
  add("down", "ffn_down.weight", "mlp.down_proj.weight", {d, ffn});
  norm(c.experts > 0 ? "block_after" : "ffn_post_norm", "post_ffw_norm",
       "post_feedforward_layernorm", d);
  add("scale", "layer_output_scale.weight", "layer_scalar", {1}, Role::kVector);
  t.rules.back().center = 1;
  if (c.experts == 0) return;
  const std::size_t experts = size(c.experts), f = size(c.expert_ffn);
  norm("mlp_after", "post_ffw_norm_1", "post_feedforward_layernorm_1", d);
  norm("moe_after", "post_ffw_norm_2", "post_feedforward_layernorm_2", d);
  norm("moe.ffn_norm", "pre_ffw_norm_2", "pre_feedforward_layernorm_2", d);
  add("router_scale", "ffn_gate_inp.scale", "router.scale", {d}, Role::kNorm);
  add("expert_scale", "ffn_down_exps.scale", "router.per_expert_scale", {experts}, Role::kNorm);
  add("moe.router", "ffn_gate_inp.weight", "router.proj.weight", {experts, d}, Role::kRouter);
  const Stored both = "model.layers.{}.experts.gate_up_proj";
  const Stored gguf_both = "blk.{}.ffn_gate_up_exps.weight";
  const auto half = [&](const char* name, const char* apart, std::size_t first) {
    TensorRule rule = {std::string("layers.{}.moe.") + name, gguf_both.rows(first, 2 * f),
                       both.rows(first, 2 * f), {experts, f, d}, Role::kExperts};
    rule.others = {std::string("blk.{}.") + apart};
    t.add_layer(i, std::move(rule));
  };
  half("experts_gate", "ffn_gate_exps.weight", 0);
  half("experts_up", "ffn_up_exps.weight", f);
  add("moe.experts_down", "ffn_down_exps.weight", "experts.down_proj", {experts, d, f},
      Role::kExperts);
}

TensorRules tensors(const Gemma4Config& c) {
  const std::size_t d = size(c.d_model), vocab = size(c.vocab);
  TensorRules t;
  t.add({"embed", "token_embd.weight", "model.embed_tokens.weight", {vocab, d}, Role::kTable});
  if (c.has_tied_head) {
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  t.add({"final_norm", "output_norm.weight", "model.norm.weight", {d}, Role::kNorm});
  if (c.own.width > 0) add_own_vectors(c.own, t);
  for (std::size_t i = 0; i < c.layers.size(); ++i) add_layer(c, static_cast<int>(i), t);
  t.ignore("rope_freqs.weight");  // read with the rotation
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
  f.groups = keep_caches(c.layers, c.heads, c.window).groups;
  const KeptLayer &first = c.layers.front(), &last = c.layers.back();
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn.front())},
             {"heads", fmt::format("{} of {}, key-value {}; {} of {}, key-value {}", c.heads,
                                   first.head_dim, first.kv_heads, c.heads, last.head_dim,
                                   last.kv_heads)},
             {"cache", kept_text(c.layers)},
             {"rope", rope_text(c.rope)},
             {"window rope", rope_text(c.window_rope)},
             {"window", window_text(c.layers, c.window)}};
  if (c.own.width > 0) {
    f.notes.emplace_back("own vectors", fmt::format("{} values a token and layer", c.own.width));
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
