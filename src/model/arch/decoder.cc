#include "model/arch/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "model/layers/caches.h"
#include "model/layers/rope.h"

namespace quire {
namespace {

Caches caches_of(const DecoderConfig& c) {
  GroupFacts like;
  like.heads = c.heads;
  like.kv_heads = c.kv_heads;
  like.k_width = like.v_width = c.head_dim;
  return divide_layers(c.windows, like);
}

}  // namespace

// --- the forward pass ---

void Decoder::forward(const BatchView& batch, KvStore& kv) {
  const bool is_bare = !config_.has_norms_before;
  program_.clear();
  stem_.begin(program_, w_);
  for (const Layer& layer : layers_) {
    if (is_bare) program_.norm(w_.residual, bare_, w_.normed);
    run_attention(layer.attention, program_, w_);
    if (is_bare) program_.norm(w_.residual, bare_, w_.normed);
    if (layer.is_plain) {
      run_mlp(layer.mlp, program_, w_);
    } else {
      run_moe(layer.moe, program_, w_, moe_);
    }
  }
  stem_.end(program_, w_);
  backend_.run(program_, batch, kv);
}

Status Decoder::load_stem(WeightLoader& loader) {
  const Norm norm = {config_.norm, {}, {}, config_.eps};
  stem_.final_norm = norm;
  stem_.embedding_scale = config_.embedding_scale;
  stem_.logit_scale = config_.logit_scale;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  if (!config_.has_norm_weights) stem_.final_norm = norm;
  return ok_status();
}

// Files hold logarithms of what the curvatures are beyond their least.
Status Decoder::load_xielu(WeightLoader& loader, const std::string& prefix, MlpLayer& mlp) {
  const auto softplus = [](double x) { return x > 20 ? x : std::log1p(std::exp(x)); };
  QUIRE_ASSIGN_OR_RETURN(const auto positive, loader.values(prefix + "xielu_positive"));
  QUIRE_ASSIGN_OR_RETURN(const auto negative, loader.values(prefix + "xielu_negative"));
  QUIRE_ASSIGN_OR_RETURN(const auto beta, loader.values(prefix + "xielu_beta"));
  QUIRE_ASSIGN_OR_RETURN(const auto floor, loader.values(prefix + "xielu_floor"));
  mlp.xielu = Xielu{static_cast<float>(softplus(positive[0])),
                    static_cast<float>(beta[0] + softplus(negative[0])), beta[0], floor[0]};
  return ok_status();
}

Status Decoder::load_layer(WeightLoader& loader, int i, const Rope& rope, CacheSlot slot) {
  const DecoderConfig& c = config_;
  const Norm norm = {c.norm, {}, {}, c.eps};
  const std::string prefix = fmt::format("layers.{}.", i);
  const auto at = static_cast<std::size_t>(i);
  Layer& layer = layers_.emplace_back();
  AttentionLayer& attention = layer.attention;
  layer.is_plain = c.is_plain(i);
  attention.norm = layer.mlp.norm = layer.moe.norm = norm;
  attention.branch.norm = layer.mlp.branch.norm = norm;
  attention.branch.scale = layer.mlp.branch.scale = layer.moe.scale = c.residual_scale;
  if (c.turns[at]) attention.q_rope = attention.k_rope = rope;
  const bool is_apart = c.head_norms == QueryNorms::kOwn || c.head_norms == QueryNorms::kWhole ||
                        c.turns_before_norms;
  (is_apart ? attention.q_norm : attention.q_rope.norm) = norm;
  (is_apart ? attention.k_norm : attention.k_rope.norm) = norm;
  if (is_apart && c.head_norms != QueryNorms::kWhole) {
    attention.q_norm.heads = c.heads;
    attention.k_norm.heads = c.kv_heads;
  }
  attention.turns_before_norms = c.turns_before_norms;
  attention.clip = c.clip;
  attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, slot);
  attention.attend.window = c.windows[at];
  if (c.score_scale > 0) attention.attend.scale = c.score_scale;
  QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, attention));
  if (!c.has_norm_weights) attention.norm = norm;
  if (!layer.is_plain) {
    layer.moe.router = c.router;
    layer.moe.clamped = c.clamped;
    return load_moe(loader, prefix, layer.moe);
  }
  layer.mlp.activation = c.activation;
  QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  if (c.has_xielu) QUIRE_RETURN_IF_ERROR(load_xielu(loader, prefix, layer.mlp));
  if (!c.has_norm_weights) layer.mlp.norm = norm;
  return ok_status();
}

void Decoder::make_workspaces() {
  const DecoderConfig& c = config_;
  const int q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  bool has_plain = false;
  for (const Layer& layer : layers_) has_plain = has_plain || layer.is_plain;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = kv, .v = kv, .attended = q,
                        .has_branch = c.has_norms_after || c.residual_scale != 1,
                        .ffn = has_plain ? c.ffn : 0, .vocab = c.vocab});
  if (c.router.experts == 0) return;
  moe_ = MoeWorkspace::make(backend_, options_,
                            {.d_model = c.d_model, .experts = c.router.experts,
                             .used = c.router.used, .ffn = c.expert_ffn,
                             .shared_ffn = c.shared_ffn});
}

Status Decoder::load(WeightLoader& loader) {
  const DecoderConfig& c = config_;
  QUIRE_CHECK(!c.has_norms_after || c.has_experts.empty(), "a norm after experts");
  QUIRE_RETURN_IF_ERROR(load_stem(loader));
  const Rope rope = make_rope(c.rope, c.head_dim, options_.context_max, backend_);
  const Rope window_rope = make_rope(c.window_rope, c.head_dim, options_.context_max, backend_);
  const Caches caches = caches_of(c);
  layers_.reserve(static_cast<std::size_t>(c.layers));
  for (int i = 0; i < c.layers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    QUIRE_RETURN_IF_ERROR(
        load_layer(loader, i, c.windows[at] > 0 ? window_rope : rope, caches.slots[at]));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  make_workspaces();
  return ok_status();
}

// --- tensors ---

TensorRule& rule_of(TensorRules& rules, const std::string& canonical) {
  const auto found =
      std::find_if(rules.rules.begin(), rules.rules.end(),
                   [&](const TensorRule& rule) { return rule.canonical == canonical; });
  QUIRE_CHECK(found != rules.rules.end(), "no rule of '{}'", canonical);
  return *found;
}

std::string layer_name(int layer, const char* name) {
  return fmt::format("layers.{}.{}", layer, name);
}

std::string hf_layer_name(int layer, const char* name) {
  return fmt::format("model.layers.{}.{}", layer, name);
}

namespace {

std::size_t size(int value) { return static_cast<std::size_t>(value); }

// The rules of one layer, whose names are put together.
class LayerNames {
 public:
  LayerNames(const DecoderConfig& c, TensorRules& rules, int layer)
      : c_(c), rules_(rules), layer_(layer) {}

  void add(const std::string& name, const std::string& gguf, const std::string& hf,
           std::vector<std::size_t> shape, Role role = Role::kMatrix,
           std::vector<Stored> others = {}) const {
    TensorRule rule = {"layers.{}." + name, "blk.{}." + gguf, "model.layers.{}." + hf,
                       std::move(shape), role};
    rule.others = std::move(others);
    rules_.add_layer(layer_, std::move(rule));
  }
  void norm(const std::string& name, const std::string& gguf, const std::string& hf,
            std::size_t width) const {
    Stored stored = "model.layers.{}." + hf + ".weight";
    if (c_.is_norm_offset) stored = stored.converted(Convert::kPlusOne);
    rules_.add_layer(layer_, {"layers.{}." + name, "blk.{}." + gguf + ".weight", stored, {width},
                              Role::kNorm});
    if (!c_.has_norm_biases) return;
    add(name + "_bias", gguf + ".bias", hf + ".bias", {width}, Role::kBias);
  }
  void bias(bool is_there, const std::string& name, const std::string& gguf,
            const std::string& hf, std::size_t rows) const {
    if (is_there) add(name + "_bias", gguf + ".bias", hf + ".bias", {rows}, Role::kBias);
  }

 private:
  const DecoderConfig& c_;
  TensorRules& rules_;
  int layer_;
};

void add_attention(const DecoderConfig& c, const LayerNames& layer) {
  const std::size_t d = size(c.d_model), head = size(c.head_dim);
  const std::size_t q = size(c.heads) * head, kv = size(c.kv_heads) * head;
  const DecoderNames& names = c.names;
  if (c.has_norms_before && c.has_norm_weights) {
    layer.norm("attn_norm", names.gguf_attn_norm, names.attn_norm, d);
  }
  layer.add("q", "attn_q.weight", "self_attn.q_proj.weight", {q, d});
  layer.add("k", "attn_k.weight", "self_attn.k_proj.weight", {kv, d});
  layer.add("v", "attn_v.weight", "self_attn.v_proj.weight", {kv, d});
  layer.add("o", "attn_output.weight", names.o + ".weight", {d, q});
  layer.bias(c.has_qkv_bias, "q", "attn_q", "self_attn.q_proj", q);
  layer.bias(c.has_qkv_bias, "k", "attn_k", "self_attn.k_proj", kv);
  layer.bias(c.has_qkv_bias, "v", "attn_v", "self_attn.v_proj", kv);
  layer.bias(c.has_o_bias, "o", "attn_output", names.o, d);
  if (c.head_norms != QueryNorms::kNone) {
    const bool is_one = c.head_norms == QueryNorms::kEach;
    const auto add = [&](const char* name, const char* gguf, const std::string& hf,
                         std::size_t width) {
      layer.add(name, gguf, hf + ".weight", {is_one ? head : width}, Role::kNorm);
    };
    add("q_norm", "attn_q_norm.weight", names.q_norm, q);
    add("k_norm", "attn_k_norm.weight", names.k_norm, kv);
  }
  if (c.has_sinks) {
    layer.add("attn_sinks", "attn_sinks.weight", "self_attn.sinks", {size(c.heads)}, Role::kBias);
  }
  if (c.has_norms_after) {
    layer.norm("attn_post_norm", "post_attention_norm", names.attn_post_norm, d);
  }
}

void add_experts(const DecoderConfig& c, const LayerNames& layer) {
  const std::size_t d = size(c.d_model), experts = size(c.router.experts), f = size(c.expert_ffn);
  const DecoderNames& names = c.names;
  layer.add("router", "ffn_gate_inp.weight", names.router, {experts, d}, Role::kRouter,
            {"model.layers.{}.mlp.gate.weight"});
  if (c.has_correction) {
    layer.add("router_correction", "exp_probs_b.bias", names.correction, {experts}, Role::kBias,
              {"blk.{}.exp_probs_b"});
  }
  const auto add = [&](const char* name, const char* gguf, const std::string& apart, Stored fused,
                       std::vector<std::size_t> shape) {
    layer.add(std::string("experts_") + name, std::string("ffn_") + gguf + "_exps.weight",
              names.experts + "{e}." + apart + ".weight", std::move(shape), Role::kExperts,
              {std::move(fused)});
  };
  const Stored both = "model.layers.{}.mlp.experts.gate_up_proj";
  add("gate", "gate", names.gate, both.rows(0, 2 * f), {experts, f, d});
  add("up", "up", names.up, both.rows(f, 2 * f), {experts, f, d});
  add("down", "down", names.down, "model.layers.{}.mlp.experts.down_proj", {experts, d, f});
  if (c.has_expert_biases) {
    layer.add("router_bias", "ffn_gate_inp.bias", "mlp.router.bias", {experts}, Role::kBias);
    layer.add("experts_gate_bias", "ffn_gate_exps.bias", "", {experts * f}, Role::kBias);
    layer.add("experts_up_bias", "ffn_up_exps.bias", "", {experts * f}, Role::kBias);
    layer.add("experts_down_bias", "ffn_down_exps.bias", "mlp.experts.down_proj_bias",
              {experts * d}, Role::kBias);
  }
  if (c.shared_ffn == 0) return;
  const std::size_t shared = size(c.shared_ffn);
  layer.add("shared_gate", "ffn_gate_shexp.weight", names.shared + "gate_proj.weight",
            {shared, d});
  layer.add("shared_up", "ffn_up_shexp.weight", names.shared + "up_proj.weight", {shared, d});
  layer.add("shared_down", "ffn_down_shexp.weight", names.shared + "down_proj.weight",
            {d, shared});
}

void add_block(const DecoderConfig& c, const LayerNames& layer, bool is_plain) {
  const std::size_t d = size(c.d_model), ffn = size(c.ffn);
  if (c.has_norms_before && c.has_norm_weights && !c.is_parallel) {
    layer.norm("ffn_norm", c.names.gguf_ffn_norm, c.names.ffn_norm, d);
  }
  if (!is_plain) return add_experts(c, layer);
  if (c.is_gated) layer.add("gate", "ffn_gate.weight", "mlp.gate_proj.weight", {ffn, d});
  layer.add("up", "ffn_up.weight", "mlp.up_proj.weight", {ffn, d});
  layer.add("down", "ffn_down.weight", "mlp.down_proj.weight", {d, ffn});
  if (c.has_xielu) {
    layer.add("xielu_positive", "xielu_alpha_p", "mlp.act_fn.alpha_p", {1}, Role::kVector);
    layer.add("xielu_negative", "xielu_alpha_n", "mlp.act_fn.alpha_n", {1}, Role::kVector);
    layer.add("xielu_beta", "xielu_beta", "mlp.act_fn.beta", {1}, Role::kVector);
    layer.add("xielu_floor", "xielu_eps", "mlp.act_fn.eps", {1}, Role::kVector);
  }
  layer.bias(c.has_mlp_bias && c.is_gated, "gate", "ffn_gate", "mlp.gate_proj", ffn);
  layer.bias(c.has_mlp_bias, "up", "ffn_up", "mlp.up_proj", ffn);
  layer.bias(c.has_mlp_bias, "down", "ffn_down", "mlp.down_proj", d);
  if (c.has_norms_after) layer.norm("ffn_post_norm", "post_ffw_norm", c.names.ffn_post_norm, d);
}

void add_stem(const DecoderConfig& c, TensorRules& t) {
  const std::size_t d = size(c.d_model), vocab = size(c.vocab);
  TensorRule embed = {"embed", "token_embd.weight", "model.embed_tokens.weight", {vocab, d},
                      Role::kTable};
  if (c.has_tied_head) {  // a tied model may store its one matrix under either name, or both
    embed.others = {"lm_head.weight"};
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  t.add(std::move(embed));
  if (!c.has_norm_weights) return;
  Stored norm = "model.norm.weight";
  if (c.is_norm_offset) norm = norm.converted(Convert::kPlusOne);
  t.add({"final_norm", "output_norm.weight", norm, {d}, Role::kNorm});
  if (!c.has_norm_biases) return;
  t.add({"final_norm_bias", "output_norm.bias", "model.norm.bias", {d}, Role::kBias});
}

}  // namespace

TensorRules decoder_tensors(const DecoderConfig& c) {
  TensorRules t;
  add_stem(c, t);
  for (int i = 0; i < c.layers; ++i) {
    const LayerNames layer(c, t, i);
    add_attention(c, layer);
    add_block(c, layer, c.is_plain(i));
  }
  for (int i = c.layers; i < c.layers + c.draft_layers; ++i) {
    t.ignore(fmt::format("blk.{}.*", i));
    t.ignore(fmt::format("model.layers.{}.*", i));
  }
  t.ignore("rope_freqs.weight");      // read with the rotation
  t.ignore("*.rotary_emb.inv_freq");  // implied by it
  if (c.rename != nullptr) c.rename(c, t);
  return t;
}

// --- facts ---

ModelFacts decoder_facts(const DecoderConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.experts = c.router.experts;
  f.experts_active = c.router.used;
  f.groups = caches_of(c).groups;
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"heads", fmt::format("{} of {}, key-value {}{}{}", c.heads, c.head_dim, c.kv_heads,
                                   c.has_qkv_bias ? ", with biases" : "",
                                   c.head_norms != QueryNorms::kNone ? ", with norms" : "")}};
  if (c.router.experts > 0) {
    f.notes.emplace_back("experts", fmt::format("{} of {} each, {} used", c.router.experts,
                                                c.expert_ffn, c.router.used));
  }
  const auto turned = std::count(c.turns.begin(), c.turns.end(), true);
  std::string rope = rope_text(c.rope);
  if (turned < c.layers) rope += fmt::format(", in {} of {} layers", turned, c.layers);
  f.notes.emplace_back("rope", std::move(rope));
  const int window = *std::max_element(c.windows.begin(), c.windows.end());
  if (window == 0) return f;
  const auto whole = std::count(c.windows.begin(), c.windows.end(), 0);
  f.notes.emplace_back("window", fmt::format("{} in {} of {} layers", window, c.layers - whole,
                                             c.layers));
  return f;
}

}  // namespace quire
