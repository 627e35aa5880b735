// What a Decoder consists of, as data: its tensors, where they are in either kind of file, and what
// it tells the rest of the house of itself.
// Pure functions; any thread. Called through the rows of the registry.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "model/arch/decoder.h"

namespace quire {

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

using Shape = std::vector<std::size_t>;

std::size_t size(int value) { return static_cast<std::size_t>(value); }

// --- matrices of several tensors ---

std::size_t queries(const DecoderConfig& c) { return size(c.heads) * size(c.head_dim); }
std::size_t keys(const DecoderConfig& c) { return size(c.kv_heads) * size(c.head_dim); }

void set_rows(const DecoderConfig& c, const Stored& fused, Stored& q, Stored& k, Stored& v) {
  const std::size_t total = queries(c) + 2 * keys(c);
  q = fused.rows(0, total);
  k = fused.rows(queries(c), total);
  v = fused.rows(queries(c) + keys(c), total);
}

}  // namespace

void fuse_heads(const std::string& name, DecoderConfig& c) {
  set_rows(c, name, c.names.q, c.names.k, c.names.v);
}

void fuse_gguf_heads(DecoderConfig& c) {
  set_rows(c, "attn_qkv", c.names.gguf_q, c.names.gguf_k, c.names.gguf_v);
}

void weave_heads(const std::string& name, DecoderConfig& c) {
  const std::size_t head = size(c.head_dim), own = size(c.heads / c.kv_heads) * head;
  const std::size_t every = own + 2 * head, total = size(c.kv_heads) * every;
  const Stored woven = name;
  c.names.q = woven.runs(0, own, every, total);
  c.names.k = woven.runs(own, head, every, total);
  c.names.v = woven.runs(own + head, head, every, total);
}

void fuse_gate(const std::string& name, DecoderConfig& c) {
  const std::size_t ffn = size(c.ffn);
  c.names.mlp_gate = Stored(name).rows(0, 2 * ffn);
  c.names.mlp_up = Stored(name).rows(ffn, 2 * ffn);
  c.names.gguf_gate = Stored("ffn_up").rows(0, 2 * ffn);
  c.names.gguf_up = Stored("ffn_up").rows(ffn, 2 * ffn);
}

// --- tensors ---

namespace {

// The rules of one layer, whose names are put together.
class LayerNames {
 public:
  LayerNames(const DecoderConfig& c, TensorRules& rules, int layer)
      : c_(c), rules_(rules), layer_(layer) {}

  // With their ends in the names.
  void add(const std::string& name, const std::string& gguf, const std::string& hf, Shape shape,
           Role role, std::vector<Stored> others = {}) const {
    TensorRule rule = {"layers.{}." + name, "blk.{}." + gguf, c_.names.layer + hf,
                       std::move(shape), role};
    rule.others = std::move(others);
    rules_.add_layer(layer_, std::move(rule));
  }
  void linear(const std::string& name, const Stored& gguf, const Stored& hf, const Shape& shape,
              bool has_bias) const {
    add_part(name, gguf, hf, ".weight", shape, Role::kMatrix);
    if (!has_bias) return;
    Stored of_gguf = gguf, of_hf = hf;
    of_gguf.is_transposed = of_hf.is_transposed = false;
    add_part(name + "_bias", of_gguf, of_hf, ".bias", {shape[0]}, Role::kBias);
  }
  void norm(const std::string& name, const std::string& gguf, const std::string& hf, Shape shape,
            bool has_bias) const {
    Stored stored = hf;
    if (c_.is_norm_offset) stored = stored.converted(Convert::kPlusOne);
    add_part(name, gguf, stored, ".weight", shape, Role::kNorm);
    if (has_bias) add_part(name + "_bias", gguf, hf, ".bias", std::move(shape), Role::kBias);
  }
  void norm(const std::string& name, const std::string& gguf, const std::string& hf) const {
    if (c_.has_norm_weights) norm(name, gguf, hf, {size(c_.d_model)}, c_.has_norm_biases);
  }

 private:
  void add_part(const std::string& name, Stored gguf, Stored hf, const char* end, Shape shape,
                Role role) const {
    gguf.name = "blk.{}." + gguf.name + end;
    hf.name = c_.names.layer + hf.name + end;
    rules_.add_layer(layer_, {"layers.{}." + name, std::move(gguf), std::move(hf),
                              std::move(shape), role});
  }

  const DecoderConfig& c_;
  TensorRules& rules_;
  int layer_;
};

void add_head_norms(const DecoderConfig& c, const LayerNames& layer, const std::string& name,
                    const std::string& hf, int heads) {
  const std::string gguf = "attn_" + name;
  const std::size_t head = size(c.head_dim);
  const std::size_t own = hf.find("{e}");
  switch (c.head_norms) {
    case QueryNorms::kNone:
    case QueryNorms::kBare: return;
    case QueryNorms::kEach: return layer.norm(name, gguf, hf, {head}, c.has_head_norm_biases);
    case QueryNorms::kWhole: return layer.norm(name, gguf, hf, {size(heads) * head}, false);
    case QueryNorms::kOwn: break;
  }
  if (own == std::string::npos) return layer.norm(name, gguf, hf, {size(heads), head}, false);
  for (int i = 0; i < heads; ++i) {
    std::string one = hf;
    one.replace(own, 3, std::to_string(i));
    layer.norm(fmt::format("{}s.{}", name, i), gguf, one, {head}, false);
  }
}

void add_attention(const DecoderConfig& c, const LayerNames& layer) {
  const std::size_t d = size(c.d_model), q = queries(c), kv = keys(c);
  const DecoderNames& names = c.names;
  if (c.has_norms_before) layer.norm("attn_norm", names.gguf_attn_norm, names.attn_norm);
  if (c.has_norms_of_sums) layer.norm("attn_after", names.gguf_attn_norm, names.attn_norm);
  layer.linear("q", names.gguf_q, names.q, {q, d}, c.has_qkv_bias);
  layer.linear("k", names.gguf_k, names.k, {kv, d}, c.has_qkv_bias);
  layer.linear("v", names.gguf_v, names.v, {kv, d}, c.has_qkv_bias);
  layer.linear("o", "attn_output", names.o, {d, q}, c.has_o_bias);
  if (c.has_inner_norms) {
    layer.norm("attn_out_norm", "attn_sub_norm", "self_attn.attn_sub_norm", {q}, false);
  }
  add_head_norms(c, layer, "q_norm", names.q_norm, c.heads);
  add_head_norms(c, layer, "k_norm", names.k_norm, c.kv_heads);
  if (c.has_sinks) {
    layer.add("attn_sinks", "attn_sinks.weight", "self_attn.sinks", {size(c.heads)}, Role::kBias);
  }
  if (c.has_norms_after) {
    layer.norm("attn_post_norm", "post_attention_norm", names.attn_post_norm);
  }
}

void add_shared(const DecoderConfig& c, const LayerNames& layer) {
  const std::size_t d = size(c.d_model), shared = size(c.shared_ffn);
  const std::string& hf = c.names.shared;
  layer.linear("shared_gate", "ffn_gate_shexp", hf + "gate_proj", {shared, d}, false);
  layer.linear("shared_up", "ffn_up_shexp", hf + "up_proj", {shared, d}, false);
  layer.linear("shared_down", "ffn_down_shexp", hf + "down_proj", {d, shared}, false);
  if (!c.has_shared_scale) return;
  layer.add("shared_scale", "ffn_gate_inp_shexp.weight", c.names.shared_scale, {1, d},
            Role::kMatrix);
}

// transformers 5 writes both halves of the way in as one tensor; GGUF of the first days has each
// expert apart.
void add_experts(const DecoderConfig& c, const LayerNames& layer) {
  const std::size_t d = size(c.d_model), experts = size(c.router.experts), f = size(c.expert_ffn);
  const DecoderNames& names = c.names;
  layer.add("router", "ffn_gate_inp.weight", names.router, {experts, d}, Role::kRouter,
            {names.layer + names.other_router});
  if (c.has_correction) {
    layer.add("router_correction", "exp_probs_b.bias", names.correction, {experts}, Role::kBias,
              {"blk.{}.exp_probs_b"});
  }
  const auto add = [&](const std::string& name, const std::string& apart, Stored fused,
                       Shape shape) {
    layer.add("experts_" + name, "ffn_" + name + "_exps.weight",
              names.experts + "{e}." + apart + ".weight", std::move(shape), Role::kExperts,
              {std::move(fused), "blk.{}.ffn_" + name + ".{e}.weight"});
  };
  const Stored both = names.layer + "mlp.experts.gate_up_proj";
  add("gate", names.gate, both.rows(0, 2 * f), {experts, f, d});
  add("up", names.up, both.rows(f, 2 * f), {experts, f, d});
  add("down", names.down, names.layer + "mlp.experts.down_proj", {experts, d, f});
  if (c.has_expert_biases) {
    layer.add("router_bias", "ffn_gate_inp.bias", "mlp.router.bias", {experts}, Role::kBias);
    layer.add("experts_gate_bias", "ffn_gate_exps.bias", "", {experts * f}, Role::kBias);
    layer.add("experts_up_bias", "ffn_up_exps.bias", "", {experts * f}, Role::kBias);
    layer.add("experts_down_bias", "ffn_down_exps.bias", "mlp.experts.down_proj_bias",
              {experts * d}, Role::kBias);
  }
  if (c.shared_ffn > 0) add_shared(c, layer);
}

void add_block(const DecoderConfig& c, const LayerNames& layer, bool is_plain) {
  const std::size_t d = size(c.d_model), ffn = size(c.ffn);
  const DecoderNames& names = c.names;
  const bool has_own_norm = !c.is_parallel || c.has_two_norms;
  if (c.has_norms_before && has_own_norm) {
    layer.norm("ffn_norm", names.gguf_ffn_norm, names.ffn_norm);
  }
  if (c.has_norms_of_sums) layer.norm("ffn_after", names.gguf_ffn_norm, names.ffn_norm);
  if (!is_plain) return add_experts(c, layer);
  if (c.is_gated) layer.linear("gate", names.gguf_gate, names.mlp_gate, {ffn, d}, c.has_mlp_bias);
  layer.linear("up", names.gguf_up, names.mlp_up, {ffn, d}, c.has_mlp_bias);
  layer.linear("down", "ffn_down", names.mlp_down, {d, ffn}, c.has_mlp_bias);
  if (c.has_inner_norms) {
    layer.norm("ffn_inner_norm", "ffn_sub_norm", "mlp.ffn_sub_norm", {ffn}, false);
  }
  if (c.has_xielu && c.xielu.empty()) {
    layer.add("xielu_positive", "xielu_alpha_p", "mlp.act_fn.alpha_p", {1}, Role::kVector);
    layer.add("xielu_negative", "xielu_alpha_n", "mlp.act_fn.alpha_n", {1}, Role::kVector);
    layer.add("xielu_beta", "xielu_beta", "mlp.act_fn.beta", {1}, Role::kVector);
    layer.add("xielu_floor", "xielu_eps", "mlp.act_fn.eps", {1}, Role::kVector);
  }
  if (c.has_norms_after) layer.norm("ffn_post_norm", "post_ffw_norm", names.ffn_post_norm);
}

// --- around the layers ---

void add_norm(const DecoderConfig& c, const std::string& name, const std::string& gguf,
              const std::string& hf, TensorRules& t) {
  const std::size_t d = size(c.d_model);
  Stored stored = hf + ".weight";
  if (c.is_norm_offset) stored = stored.converted(Convert::kPlusOne);
  t.add({name, gguf + ".weight", stored, {d}, Role::kNorm});
  if (c.has_norm_biases) {
    t.add({name + "_bias", gguf + ".bias", hf + ".bias", {d}, Role::kBias});
  }
}

void add_stem(const DecoderConfig& c, TensorRules& t) {
  const DecoderNames& names = c.names;
  const std::size_t d = size(c.d_model), vocab = size(c.vocab);
  const std::size_t width = c.table_width > 0 ? size(c.table_width) : d;
  const std::string head = names.head + ".weight";
  TensorRule embed = {"embed", "token_embd.weight", names.table + ".weight", {vocab, width},
                      Role::kTable};
  if (c.has_tied_head) {  // a tied model may store its one matrix under either name, or both
    embed.others = {head};
    t.ignore(head);
  } else {
    t.add({"head", "output.weight", head, {vocab, width}, Role::kHead});
  }
  t.add(std::move(embed));
  if (c.has_head_bias) {
    t.add({"head_bias", "output.bias", names.head + ".bias", {vocab}, Role::kBias});
  }
  if (c.position_offset) {
    t.add({"positions", "position_embd.weight", names.positions + ".weight",
           {size(c.context_max + *c.position_offset), d}, Role::kTable});
  }
  if (c.table_width > 0) {
    t.add({"embed_in", "", names.table_in + ".weight", {d, width}});
    t.add({"embed_out", "", names.table_out + ".weight", {width, d}});
  }
  if (c.has_embedding_norm) add_norm(c, "embed_norm", "token_embd_norm", names.embedding_norm, t);
  if (!c.has_norm_weights || c.has_norms_of_sums) return;
  add_norm(c, "final_norm", "output_norm", names.final_norm, t);
}

void ignore_implied(const DecoderConfig& c, TensorRules& t) {
  for (int i = c.layers; i < c.layers + c.draft_layers; ++i) {
    t.ignore(fmt::format("blk.{}.*", i));
    t.ignore(fmt::format("model.layers.{}.*", i));
  }
  if (std::find(c.turns.begin(), c.turns.end(), true) != c.turns.end()) {
    t.ignore("rope_freqs.weight");      // read with the rotation
    t.ignore("*.rotary_emb.inv_freq");  // implied by it
  }
  for (const std::string& pattern : c.names.implied) t.ignore(pattern);
}

void add_names_without(const std::string& prefix, TensorRules& t) {
  for (TensorRule& rule : t.rules) {
    if (!rule.hf.name.starts_with(prefix)) continue;
    Stored& other = rule.others.emplace_back(rule.hf);
    other.name.erase(0, prefix.size());
  }
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
  ignore_implied(c, t);
  if (!c.names.prefix.empty()) add_names_without(c.names.prefix, t);
  for (TensorRule& rule : t.rules) {
    const bool is_turned = rule.canonical.ends_with(".q") || rule.canonical.ends_with(".k");
    if (c.is_woven_in_gguf && is_turned) rule.woven = size(c.head_dim);
  }
  t.are_alike = c.rename == nullptr;
  if (c.rename != nullptr) c.rename(c, t);
  return t;
}

// --- facts ---

Caches decoder_caches(const DecoderConfig& c) {
  GroupFacts like;
  like.heads = c.heads;
  like.kv_heads = c.kv_heads;
  like.k_width = like.v_width = c.head_dim;
  return divide_layers(c.windows, like);
}

namespace {

void note_positions(const DecoderConfig& c, ModelFacts& f) {
  const auto turned = std::count(c.turns.begin(), c.turns.end(), true);
  if (c.position_offset) {
    f.notes.emplace_back("positions", fmt::format("learned, {}", c.context_max));
  }
  if (!c.slopes.empty()) f.notes.emplace_back("positions", "linear biases (ALiBi)");
  if (turned == 0) return;
  std::string rope = rope_text(c.rope);
  if (turned < c.layers) rope += fmt::format(", in {} of {} layers", turned, c.layers);
  f.notes.emplace_back("rope", std::move(rope));
  if (c.growth.beta == 0) return;
  f.notes.emplace_back("scores", fmt::format("grow by {} a logarithm of the position in {}",
                                             c.growth.beta, c.growth.every));
}

void note_windows(const DecoderConfig& c, ModelFacts& f) {
  const int window = *std::max_element(c.windows.begin(), c.windows.end());
  if (window == 0) return;
  const auto whole = std::count(c.windows.begin(), c.windows.end(), 0);
  f.notes.emplace_back(c.has_chunks ? "chunks" : "window",
                       fmt::format("{} in {} of {} layers", window, c.layers - whole, c.layers));
  bool turn = false;
  for (std::size_t i = 0; i < c.turns.size(); ++i) turn = turn || (c.windows[i] > 0 && c.turns[i]);
  const std::string rope = rope_text(c.window_rope);
  if (turn && rope != rope_text(c.rope)) f.notes.emplace_back("window rope", rope);
}

}  // namespace

ModelFacts decoder_facts(const DecoderConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.experts = c.router.experts;
  f.experts_active = c.router.used;
  f.groups = decoder_caches(c).groups;
  f.notes = {{"width", fmt::format("{}, feed-forward {}{}", c.d_model, c.ffn,
                                   c.is_parallel ? " beside attention" : "")},
             {"heads", fmt::format("{} of {}, key-value {}{}{}", c.heads, c.head_dim, c.kv_heads,
                                   c.has_qkv_bias ? ", with biases" : "",
                                   c.head_norms != QueryNorms::kNone ? ", with norms" : "")}};
  if (c.router.experts > 0) {
    f.notes.emplace_back("experts", fmt::format("{} of {} each, {} used", c.router.experts,
                                                c.expert_ffn, c.router.used));
  }
  note_positions(c, f);
  if (c.position_offset) f.bound_to_context = "learned positions";
  if (c.growth.beta != 0) f.bound_to_context = "scores that grow with the position";
  if (c.turns_before_norms && c.head_norms != QueryNorms::kBare) {
    f.bound_to_context = "norms behind the rotation of its heads";
  }
  note_windows(c, f);
  if (c.score_cap > 0 || c.logit_cap > 0) {
    f.notes.emplace_back("caps", fmt::format("scores {}, logits {}", c.score_cap, c.logit_cap));
  }
  return f;
}

}  // namespace quire
