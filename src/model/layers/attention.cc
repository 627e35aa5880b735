#include "model/layers/attention.h"

#include <bit>
#include <cmath>

#include "base/check.h"

namespace quire {

Attend plain_attention(int heads, int kv_heads, int head_dim, CacheSlot cache) {
  QUIRE_CHECK(kv_heads > 0 && heads > 0 && heads % kv_heads == 0 && head_dim > 0,
              "{} heads of {}, {} of keys", heads, head_dim, kv_heads);
  Attend attend;
  attend.heads = heads;
  attend.kv_heads = kv_heads;
  attend.k_dim = attend.v_dim = head_dim;
  attend.scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  attend.cache = cache;
  return attend;
}

std::vector<float> alibi_slopes(int heads, double bias_max) {
  QUIRE_CHECK(heads > 0, "{} heads", heads);
  const int whole = static_cast<int>(std::bit_floor(static_cast<unsigned>(heads)));
  const double step = std::exp2(-bias_max / whole);
  const double half_step = std::exp2(-bias_max / 2 / whole);
  std::vector<float> slopes;
  for (int i = 0; i < heads; ++i) {
    const double slope =
        i < whole ? std::pow(step, i + 1) : std::pow(half_step, 2 * (i - whole) + 1);
    slopes.push_back(static_cast<float>(slope));
  }
  return slopes;
}

namespace {

void check_shapes(const AttentionLayer& layer, const std::string& prefix) {
  const Attend& attend = layer.attend;
  QUIRE_CHECK(layer.q.rows == attend.heads * attend.k_dim &&
                  (!layer.k || (layer.k.rows == attend.kv_heads * attend.k_dim &&
                                layer.v.rows == attend.kv_heads * attend.v_dim)) &&
                  layer.o.columns == attend.heads * attend.v_dim,
              "{}: q has {} rows, k {}, v {}, o {} columns: not {} and {} heads of {} and {}",
              prefix, layer.q.rows, layer.k.rows, layer.v.rows, layer.o.columns, attend.heads,
              attend.kv_heads, attend.k_dim, attend.v_dim);
  QUIRE_CHECK(!layer.gate || layer.gate.rows == layer.o.columns, "{}: a gate of {} rows for {}",
              prefix, layer.gate.rows, layer.o.columns);
}

}  // namespace

Status load_attention(WeightLoader& loader, const std::string& prefix, AttentionLayer& layer) {
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "attn_norm", layer.norm));
  QUIRE_ASSIGN_OR_RETURN(layer.q, loader.matrix(prefix + "q"));
  if (loader.has(prefix + "k")) {
    QUIRE_ASSIGN_OR_RETURN(layer.k, loader.matrix(prefix + "k"));
    QUIRE_ASSIGN_OR_RETURN(layer.v, loader.matrix(prefix + "v"));
  }
  if (loader.has(prefix + "attn_gate")) {
    QUIRE_ASSIGN_OR_RETURN(layer.gate, loader.matrix(prefix + "attn_gate"));
  }
  QUIRE_ASSIGN_OR_RETURN(layer.o, loader.matrix(prefix + "o"));
  check_shapes(layer, prefix);
  QUIRE_ASSIGN_OR_RETURN(layer.q_bias, loader.optional_vector(prefix + "q_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.k_bias, loader.optional_vector(prefix + "k_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.v_bias, loader.optional_vector(prefix + "v_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.o_bias, loader.optional_vector(prefix + "o_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.attend.sinks, loader.optional_vector(prefix + "attn_sinks"));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "attn_out_norm", layer.out_norm));
  Norm& q_norm = layer.q_norm ? layer.q_norm : layer.q_rope.norm;
  Norm& k_norm = layer.k_norm ? layer.k_norm : layer.k_rope.norm;
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "q_norm", q_norm));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "k_norm", k_norm));
  return load_norm(loader, prefix + "attn_post_norm", layer.branch.norm);
}

namespace {

// What is done to queries, keys and values before they are stored and attend.
void finish_heads(const AttentionLayer& layer, Program& p, const Workspace& w) {
  const auto rotate = [&] {
    if (layer.q_rope) p.rotate(w.q, layer.attend.heads, layer.q_rope);
    if (layer.k && layer.k_rope) p.rotate(w.k, layer.attend.kv_heads, layer.k_rope);
  };
  if (layer.turns_before_norms) rotate();
  if (layer.q_norm) p.norm(w.q, layer.q_norm, w.q);
  if (layer.k && layer.k_norm) p.norm(w.k, layer.k_norm, w.k);
  if (layer.k && layer.v_norm) p.norm(w.v, layer.v_norm, w.v);
  if (layer.clip > 0) {
    for (const Buffer* x : {&w.q, &w.k, &w.v}) p.add(CapOp{x, 1, 0, layer.clip});
  }
  if (!layer.turns_before_norms) rotate();
}

// Attention, with what queries say to the keys of places, and keys to their queries.
void attend_places(const AttentionLayer& layer, Program& p, const Workspace& w) {
  AttendOp op = {&w.q, &layer.attend, &w.attended};
  if (layer.place_keys) {
    p.add(HeadLinearOp{&w.q, {&layer.place_keys, &w.key_places, 0, layer.place_keys.rows}});
    op.key_places = &w.key_places;
  }
  if (layer.place_queries) {
    p.add(HeadLinearOp{&w.k, {&layer.place_queries, &w.query_places, 0,
                              layer.place_queries.rows}});
    op.query_places = &w.query_places;
  }
  p.add(op);
}

}  // namespace

void run_attention(const AttentionLayer& layer, Program& p, const Workspace& w) {
  if (layer.norm) p.norm(w.residual, layer.norm, w.normed);
  if (!layer.k) {
    p.linear(w.normed, {{&layer.q, &w.q, &layer.q_bias}});
  } else if (layer.gate) {
    p.linear(w.normed, {{&layer.q, &w.q, &layer.q_bias},
                        {&layer.k, &w.k, &layer.k_bias},
                        {&layer.v, &w.v, &layer.v_bias},
                        {&layer.gate, &w.output_gate}});
  } else {
    p.linear(w.normed, {{&layer.q, &w.q, &layer.q_bias},
                        {&layer.k, &w.k, &layer.k_bias},
                        {&layer.v, &w.v, &layer.v_bias}});
  }
  finish_heads(layer, p, w);
  if (layer.k) p.store(w.k, w.v, layer.attend.cache);
  attend_places(layer, p, w);
  if (layer.gate) p.gate(Activation::kSigmoid, w.output_gate, w.attended, w.gated_output);
  if (layer.out_norm) p.norm(w.attended, layer.out_norm, w.attended);
  add_branch(p, layer.gate ? w.gated_output : w.attended, layer.o, layer.o_bias, layer.branch, w);
}

}  // namespace quire
