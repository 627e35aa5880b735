// The tensors of an encoder, and its facts, from its values and names: encoder.h.
#include <algorithm>

#include <fmt/format.h>

#include "model/encoder/encoder.h"

namespace quire {
namespace {

using Norms = EncoderConfig::Norms;
using Shape = std::vector<std::size_t>;

std::size_t size(int value) { return static_cast<std::size_t>(value); }

// Rules whose names in files of Hugging Face are all that the spellings and their prefixes make.
class EncoderRules {
 public:
  using Part = Stored EncoderNames::*;

  EncoderRules(const EncoderConfig& c, const std::vector<EncoderNames>& spellings)
      : c_(c), spellings_(spellings) {}

  // Outside of the layers from here on, or of one.
  void enter(int layer) { layer_ = layer; }

  void linear(const std::string& name, const Stored& gguf, Part part, Shape shape, bool has_bias,
              Role role = Role::kMatrix) {
    const Shape bias = {shape[0]};
    add(name, with_end(gguf, ".weight"), part, ".weight", std::move(shape), role);
    if (has_bias) add(name + "_bias", with_end(gguf, ".bias"), part, ".bias", bias, Role::kBias);
  }
  void norm(const std::string& name, const Stored& gguf, Part part, std::size_t width) {
    add(name, with_end(gguf, ".weight"), part, ".weight", {width}, Role::kNorm);
    if (!c_.has_norm_bias) return;
    add(name + "_bias", with_end(gguf, ".bias"), part, ".bias", {width}, Role::kBias);
  }
  void table(const std::string& name, const std::string& gguf, Part part, Shape shape,
             Role role = Role::kVector) {
    add(name, gguf.empty() ? gguf : gguf + ".weight", part, ".weight", std::move(shape), role);
  }

  TensorRules rules;

 private:
  static Stored with_end(Stored stored, const char* end) {
    if (!stored.name.empty()) stored.name += end;
    return stored;
  }
  std::vector<Stored> names_of(Part part, const std::string& end, bool is_norm) const {
    std::vector<Stored> names;
    for (const EncoderNames& spelling : spellings_) {
      const Stored& stored = spelling.*part;
      if (stored.name.empty()) continue;
      for (const std::string& prefix : spelling.prefixes) {
        Stored name = stored;
        name.name = prefix + (layer_ >= 0 ? spelling.layer : "") + stored.name;
        if (is_norm && c_.is_norm_offset) name.convert = Convert::kPlusOne;
        names.push_back(with_end(name, end.c_str()));
        if (!spelling.has_old_norms || !stored.name.ends_with("LayerNorm")) continue;
        names.push_back(with_end(name, end == ".weight" ? ".gamma" : ".beta"));
      }
    }
    return names;
  }
  void add(const std::string& name, Stored gguf, Part part, const std::string& end, Shape shape,
           Role role) {
    std::vector<Stored> names = names_of(part, end, role == Role::kNorm);
    if (names.empty()) names.emplace_back();
    if (layer_ >= 0 && !gguf.name.empty()) gguf.name = "blk.{}." + gguf.name;
    TensorRule rule = {(layer_ >= 0 ? "layers.{}." : "") + name, std::move(gguf), names.front(),
                       std::move(shape), role};
    rule.others.assign(names.begin() + 1, names.end());
    layer_ >= 0 ? rules.add_layer(layer_, std::move(rule)) : rules.add(std::move(rule));
  }

  const EncoderConfig& c_;
  const std::vector<EncoderNames>& spellings_;
  int layer_ = -1;
};

void add_tables(const EncoderConfig& c, EncoderRules& r) {
  const std::size_t width = size(c.width_of_table());
  r.table("embed", "token_embd", &EncoderNames::words, {size(c.vocab), width}, Role::kTable);
  if (c.positions > 0) {
    r.table("positions", "position_embd", &EncoderNames::positions, {size(c.positions), width});
  }
  if (c.segments > 0) {
    r.table("segments", "token_types", &EncoderNames::segments, {size(c.segments), width});
  }
  if (c.has_embed_norm) r.norm("embed_norm", "token_embd_norm", &EncoderNames::embed_norm, width);
  if (c.table_width > 0) {
    r.linear("embed_in", "", &EncoderNames::table_in, {size(c.d_model), width}, true);
  }
  if (c.relative.buckets > 0) {
    r.table("relative_bias", "", &EncoderNames::relative_bias,
            {size(c.relative.buckets), size(c.heads)});
  }
  if (c.disentangled) {
    r.table("places", "", &EncoderNames::places, {size(c.disentangled.places()), size(c.d_model)},
            Role::kTable);
    if (c.disentangled.has_norm) {
      r.norm("places_norm", "", &EncoderNames::places_norm, size(c.d_model));
    }
  }
  if (!c.has_final_norm) return;
  r.norm("final_norm", "output_norm", &EncoderNames::final_norm, size(c.d_model));
}

void add_attention(const EncoderConfig& c, EncoderRules& r) {
  const std::size_t d = size(c.d_model), q = size(c.q()), kv = size(c.kv());
  Stored gguf_q = "attn_q", gguf_k = "attn_k", gguf_v = "attn_v";
  if (c.is_gguf_fused) {
    gguf_q = Stored("attn_qkv").rows(0, q + 2 * kv);
    gguf_k = Stored("attn_qkv").rows(q, q + 2 * kv);
    gguf_v = Stored("attn_qkv").rows(q + kv, q + 2 * kv);
  }
  r.linear("q", gguf_q, &EncoderNames::q, {q, d}, c.has_qkv_bias);
  r.linear("k", gguf_k, &EncoderNames::k, {kv, d}, c.has_qkv_bias);
  r.linear("v", gguf_v, &EncoderNames::v, {kv, d}, c.has_qkv_bias);
  if (c.has_head_norms) {
    r.norm("q_norm", "attn_q_norm", &EncoderNames::q_norm, size(c.head_dim));
    r.norm("k_norm", "attn_k_norm", &EncoderNames::k_norm, size(c.head_dim));
  }
  const Disentangled& places = c.disentangled;
  if (places && !places.is_shared) {
    if (places.has_keys) {
      r.linear("place_k", "", &EncoderNames::place_k, {kv, d}, c.has_qkv_bias);
    }
    if (places.has_queries) r.linear("place_q", "", &EncoderNames::place_q, {q, d}, true);
  }
  r.linear("o", "attn_output", &EncoderNames::o, {d, q}, c.has_o_bias);
}

void add_mlp(const EncoderConfig& c, EncoderRules& r) {
  const std::size_t d = size(c.d_model), ffn = size(c.ffn);
  Stored gguf_gate = "ffn_gate", gguf_up = "ffn_up";
  if (c.is_gguf_gate_fused) {
    gguf_gate = Stored("ffn_up").rows(0, 2 * ffn);
    gguf_up = Stored("ffn_up").rows(ffn, 2 * ffn);
  }
  if (c.has_gate) r.linear("gate", gguf_gate, &EncoderNames::gate, {ffn, d}, c.has_mlp_bias);
  r.linear("up", gguf_up, &EncoderNames::up, {ffn, d}, c.has_mlp_bias);
  r.linear("down", "ffn_down", &EncoderNames::down, {d, ffn}, c.has_mlp_bias || c.has_down_bias);
}

void add_layer(const EncoderConfig& c, int i, EncoderRules& r) {
  const std::size_t d = size(c.d_model);
  r.enter(i);
  if (c.norms != Norms::kAfter && (i > 0 || c.has_first_norm)) {
    r.norm("attn_norm", "attn_norm", &EncoderNames::attn_before, d);
  }
  add_attention(c, r);
  if (c.norms == Norms::kAfter) {
    r.norm("attn_output_norm", "attn_output_norm", &EncoderNames::attn_after, d);
  }
  if (c.norms == Norms::kAround) {
    r.norm("attn_post_norm", "post_attention_norm", &EncoderNames::attn_after, d);
  }
  if (c.norms != Norms::kAfter) r.norm("ffn_norm", "ffn_norm", &EncoderNames::ffn_before, d);
  add_mlp(c, r);
  if (c.norms == Norms::kAfter) {
    r.norm("output_norm", "layer_output_norm", &EncoderNames::ffn_after, d);
  }
  if (c.norms == Norms::kAround) {
    r.norm("ffn_post_norm", "post_ffw_norm", &EncoderNames::ffn_after, d);
  }
  r.enter(-1);
}

}  // namespace

void set_fused_qkv(EncoderNames& names, const EncoderConfig& c, const std::string& name) {
  const std::size_t q = size(c.q()), kv = size(c.kv());
  names.q = Stored(name).rows(0, q + 2 * kv);
  names.k = Stored(name).rows(q, q + 2 * kv);
  names.v = Stored(name).rows(q + kv, q + 2 * kv);
}

void set_fused_gate(EncoderNames& names, const EncoderConfig& c, const std::string& name) {
  const std::size_t ffn = size(c.ffn);
  names.gate = Stored(name).rows(0, 2 * ffn);
  names.up = Stored(name).rows(ffn, 2 * ffn);
}

TensorRules encoder_tensors(const EncoderConfig& c, const std::vector<EncoderNames>& spellings) {
  EncoderRules r(c, spellings);
  add_tables(c, r);
  for (int i = 0; i < c.stored(); ++i) add_layer(c, i, r);
  add_pooled_rules(c.pooled, c.d_model, r.rules);
  // Implied by the configuration.
  for (const char* name : {"*.position_ids", "*.rotary_emb.inv_freq"}) r.rules.ignore(name);
  return std::move(r.rules);
}

ModelFacts encoder_facts(const EncoderConfig& c) {
  ModelFacts f;
  f.kind = ModelKind::kEncoder;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.can_pool = true;
  f.pooled = {.width = pooled_width(c.pooled, c.d_model),
              .labels = c.pooled.labels,
              .is_normalised = c.pooled.is_normalised,
              .is_settled = c.pooled.is_list_of_modules};
  f.segments = c.segments > 1 ? 2 : 1;
  // One layer's for all: see above.
  f.groups = {plain_group(1, c.heads, c.kv_heads, c.head_dim)};
  std::string heads = fmt::format("{} of {}", c.heads, c.head_dim);
  if (c.kv_heads != c.heads) heads += fmt::format(", key-value {}", c.kv_heads);
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"heads", heads + (c.is_causal ? ", of a decoder" : ", of an encoder")}};
  if (c.positions > 0) {
    f.notes.emplace_back("positions", fmt::format("a table of {}", c.context_max));
  }
  if (c.relative.buckets > 0) {
    f.notes.emplace_back("distances", fmt::format("biases of {} buckets up to {}",
                                                  c.relative.buckets, c.relative.distance_max));
  }
  if (c.disentangled) {
    f.notes.emplace_back("distances", fmt::format("a table of {} places, in {} terms of scores",
                                                  c.disentangled.places(),
                                                  c.disentangled.terms()));
  }
  if (!c.slopes.empty()) f.notes.emplace_back("distances", "linear biases (ALiBi)");
  if (c.rope) f.notes.emplace_back("rope", rope_text(*c.rope));
  const auto windows = std::count_if(c.windows.begin(), c.windows.end(),
                                     [](int window) { return window > 0; });
  if (windows > 0) {
    const int reach = *std::max_element(c.windows.begin(), c.windows.end());
    f.notes.emplace_back("window", fmt::format("{} to {} in {} of {} layers", reach,
                                               c.is_causal ? "the left" : "each side", windows,
                                               c.layers));
  }
  if (c.window_rope) f.notes.emplace_back("window rope", rope_text(*c.window_rope));
  if (c.layers_stored > 0) {
    f.notes.emplace_back("shared", fmt::format("weights of {} for {} layers", c.layers_stored,
                                               c.layers));
  }
  f.notes.emplace_back("pooling", pooled_text(c.pooled));
  return f;
}

}  // namespace quire
