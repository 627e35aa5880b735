// Program: a forward pass as a sequence of ops, which a backend then runs. A model says what is to
// be computed, op by op, as its paper does; which neighbours become one pass over the data is the
// backend's own affair (cpu/cpu_run.cc). Every variant of an op is a value, never another op.
//
// Ops name buffers, vectors and weights of the model by address: these must stay where they are
// until the program has run. A model records the same program for every step; only the batch
// differs. Recording allocates nothing once the list has grown.
// Batch invariance: what an op writes for one row depends on that row's inputs alone.
// One thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <variant>
#include <vector>

#include "backend/buffer.h"
#include "kernels/kernel_table.h"  // Activation

namespace quire {

struct Weight;

// --- values ---

// Each row, or each of its `heads` equal parts, on its own.
//   rms:   x / sqrt(mean(x^2) + eps) * weight          (Zhang and Sennrich, 2019)
//   layer: (x - mean) / sqrt(variance + eps) * weight + bias    (Ba et al., 2016)
//   l2:    x / sqrt(sum(x^2) + eps)
//   scale: x * weight
struct Norm {
  enum class Kind : std::uint8_t { kNone, kRms, kLayer, kL2, kScale };
  Kind kind = Kind::kNone;
  Vector weight;  // [columns / heads], shared by all, or [columns]; of l2: none
  Vector bias;    // likewise; layer only, may be absent
  float eps = 0;
  int heads = 1;

  explicit operator bool() const { return kind != Kind::kNone; }
};

// One product of a `linear` op: out[t, r] (+)= dot(weight[r], x[t]) + bias[r].
struct Product {
  const Weight* weight = nullptr;
  const Buffer* out = nullptr;
  const Vector* bias = nullptr;  // [weight rows]; null or empty: none
  bool accumulate = false;       // add to what out holds (the residual stream)
  int column = 0;                // of out, where the rows of the weight begin
};

// A weight of several matrices, one per head: head h reads the beginning of its part of x (parts
// are equally wide) and writes its part of out, `out_stride` floats from one head to the next, the
// first at column `out_begin`.
struct HeadProduct {
  const Weight* weight = nullptr;  // [heads, rows, columns]
  const Buffer* out = nullptr;
  int out_begin = 0, out_stride = 0;
};

// Which two values of a head a rotation turns: (2i, 2i+1), or (i, i + dims/2).
enum class RopePairing : std::uint8_t { kAdjacent, kHalfSplit };

// Rotary positions (Su et al., 2021): the norm of each head first, then the rotation of its `dims`
// values from `begin` on; the rest of the head stays.
struct Rope {
  Norm norm;        // of each head; none: as it is
  Vector cosines;   // [positions, dims / 2]; empty: no rotation
  Vector sines;     // likewise
  int dims = 0;     // even
  int begin = 0;
  RopePairing pairing = RopePairing::kHalfSplit;
  // Of positions behind the tables, which a text with a window and sinks may reach.
  std::vector<double> frequencies;  // [dims / 2] of the angles; empty: there are no such positions
  float magnitude = 1;              // what the tables' values have as a factor

  explicit operator bool() const { return norm || cosines; }
};

// Where a layer's memory is: a group of the model and the layer's place in it.
struct CacheSlot {
  int group = 0;
  int layer = 0;
};

// Softmax attention of one layer over its cache. Heads are grouped: heads / kv_heads share a key.
struct Attend {
  int heads = 0, kv_heads = 0;
  int k_dim = 0, v_dim = 0;
  float scale = 0;      // on the scores
  int window = 0;       // a token sees the last `window` positions, itself included; 0: all
  bool is_chunked = false;  // instead, those from the last multiple of `window` on, itself included
  float softcap = 0;    // score = softcap * tanh(score / softcap); 0: none
  bool is_causal = true;  // false: a token sees what comes after it, too
  int ahead = 0;        // not causal: how many positions after its own; 0: all
  Vector slopes;        // [heads] ALiBi: score += slope * (key position - query position)
  Vector sinks;         // [heads] a logit beside the scores that takes weight and gives nothing
  Vector bias;          // [heads, 2 * bias_reach + 1]: score += bias[head, reach + key - query]
  int bias_reach = 0;
  // Disentangled (He et al., "DeBERTa", 2021): score += scale * (key_places[query, head, p] +
  // query_places[key, head, p]), p the place of query - key. Of whole texts only, not causal.
  std::shared_ptr<const std::vector<std::int32_t>> places{};  // [2 * reach + 1]; null: none
  CacheSlot cache;
};

// An activation with numbers of its own (Huang and Schlag, "Deriving activation functions using
// integration", 2024):
//   x > 0: positive x^2 + beta x;  else: negative (exp(min(x, floor)) - 1 - x) + beta x
struct Xielu {
  float positive = 0, negative = 0, beta = 0;
  float floor = 0;  // just below zero
};

// Choice of experts for each token, from the router's logits [tokens, experts]: kernels/router.h.
struct Router {
  int experts = 0;
  int used = 0;             // experts of a token
  bool is_sigmoid = false;  // scores; else softmax
  float sparse_margin = 0;  // > 0: each choice is weighed among what is nearly as good
  bool is_renormalised = false;  // weights of the chosen sum to one
  float scale = 1;          // on the weights, at last
  int groups = 1, groups_kept = 1;
  bool is_group_by_two = false;
  Vector expert_scale;      // [experts] on the weights, after all else; may be empty
  Vector correction;        // [experts] added to the scores for the choice only; may be empty
};

// What a row of a pooled sequence becomes.
enum class Pool : std::uint8_t { kFirst, kLast, kMean };

// A causal convolution over each channel's last `width` inputs (then silu), whose state
// is the width - 1 inputs before the row, kept at `state_begin` of the cache.
struct Convolution {
  int width = 0;
  Vector weight;  // [width, channels]
  Vector bias;    // [channels] or empty
  bool is_silu = true;
  CacheSlot cache;
  int state_begin = 0;  // floats
};

// A linear recurrence, token by token in order, in float32.
//   delta:  the gated delta rule (Yang et al., 2024). x = [q | k | v], q and k normed here (l2), q
//           scaled by 1/sqrt(k_dim); step = softplus(a + dt_bias), beta = sigmoid(b)
//           S *= exp(rate * step); S += k (beta (v - S'k))'; out = S'q
//   ssd:    Mamba-2 (Dao and Gu, 2024). x = [x | B | C]; step = softplus(a + dt_bias)
//           S = S * exp(rate * step) + (step x) B'; out = S C + D x
//   rows:   the delta rule with a decay of each row of the state (Kimi Linear, 2025): a has k_dim
//           values of each head, as have rates and dt_bias
struct Recurrence {
  enum class Kind : std::uint8_t { kDelta, kSsd, kDeltaRows };
  Kind kind = Kind::kDelta;
  int k_heads = 0, k_dim = 0;  // ssd: groups and state size
  int v_heads = 0, v_dim = 0;  // ssd: heads and head size
  bool is_tiled = false;       // head h reads key head h % k_heads, not those of one key in a row
  Vector rates;                // [v_heads] -exp(A)
  Vector dt_bias;              // [v_heads]
  Vector skip;                 // [v_heads] D; ssd only
  float step_min = 0;          // bounds of the steps, softplus(a + dt_bias)
  float step_max = std::numeric_limits<float>::infinity();
  float eps = 1e-6f;           // of the l2 norms of the delta rule
  CacheSlot cache;
  int state_begin = 0;  // floats
};

// Mamba's selective scan (Gu and Dao, "Mamba", 2023), each channel with `rows` numbers of state:
//   step = softplus(a + bias); S[n] = S[n] exp(rates[n] step) + step x B[n]
//   out = sum over n of S[n] C[n] + skip x
struct Selective {
  int rows = 0;
  Vector rates;  // [rows, channels] -exp(A)
  Vector bias;   // [channels]
  Vector skip;   // [channels] D
  CacheSlot cache;
  int state_begin = 0;  // floats
};

// The real-gated linear recurrent unit (De et al., "Griffin", 2024), each channel with one number:
//   a = exp(rate sigmoid(gate + gate_bias))
//   h = a h + sqrt(1 - a^2) sigmoid(input + input_bias) x; out = h; the root is 1 at position 0
struct GatedUnit {
  Vector rates;                  // [channels], negative
  Vector input_bias, gate_bias;  // [channels]
  CacheSlot cache;
  int state_begin = 0;  // floats
};

// --- ops ---

struct GatherOp {  // out[i] (+)= scale * row of the table
  enum class Index : std::uint8_t { kToken, kPosition, kSegment };
  const Weight* table = nullptr;
  const Buffer* out = nullptr;
  Index index = Index::kToken;
  int offset = 0;  // added to the index
  float scale = 1;
  bool accumulate = false;
  bool takes_first_beyond = false;  // an index beyond the table reads its first row
};
struct NormOp {  // of wanted or pooled rows of x where out has such rows
  const Buffer* x = nullptr;
  const Norm* norm = nullptr;
  const Buffer* out = nullptr;
  bool accumulate = false;
};
inline constexpr int kProductsMax = 6;
struct LinearOp {  // all products read the same x; of routed rows, each row its expert's matrix
  const Buffer* x = nullptr;
  std::array<Product, kProductsMax> products;
  int count = 0;
  const Buffer* routing = nullptr;
};
struct HeadLinearOp {
  const Buffer* x = nullptr;
  HeadProduct product;
};
// Values that stay in bounds before they are multiplied (OpenAI, gpt-oss, 2025):
//   g = min(gate, limit), u = clamp(up, -limit, limit);  out = g sigmoid(alpha g) (u + 1)
struct ClampedGate {
  float alpha = 0, limit = 0;
};

struct GateOp {  // out = activation(gate) * up; without up: activation(gate)
  const Buffer* gate = nullptr;
  const Buffer* up = nullptr;
  const Buffer* out = nullptr;
  Activation activation = Activation::kSilu;
  const Xielu* xielu = nullptr;          // instead of the activation, without up
  const ClampedGate* clamped = nullptr;  // instead of it, with up
  int up_column = 0;  // of up, which may be wider, where its columns begin
};
struct RotateOp {
  const Buffer* x = nullptr;  // [tokens, heads * head_dim]
  int heads = 0;
  const Rope* rope = nullptr;
};
struct StoreOp {  // keys and values into the cache; a key may have a second part
  const Buffer* k = nullptr;
  const Buffer* k_rest = nullptr;  // one for all heads, behind k; null: none
  const Buffer* v = nullptr;       // null where V is the beginning of K
  CacheSlot cache;
};
struct AttendOp {  // a query may have a second part: what ends each head's part of q_rest
  const Buffer* q = nullptr;
  const Attend* attend = nullptr;
  const Buffer* out = nullptr;
  const Buffer* q_rest = nullptr;  // behind q in each head; null: none
  const Buffer* key_places = nullptr;    // [tokens, heads * places]; null: none
  const Buffer* query_places = nullptr;  // likewise
};
struct RouteOp {
  const Buffer* logits = nullptr;
  const Router* router = nullptr;
  const Buffer* routing = nullptr;  // [tokens, used]: what products over experts follow
};
struct WeighOp {  // x *= the weight of the token's expert, in place
  const Buffer* x = nullptr;  // routed rows
  const Buffer* routing = nullptr;
};
// out += scale * sum over a token's experts of x, times their weights, in order of their rank
struct CombineOp {
  const Buffer* x = nullptr;  // routed rows
  const Buffer* routing = nullptr;
  const Buffer* out = nullptr;
  float scale = 1;
  bool is_new = false;      // out = instead of +=
  bool is_weighted = true;  // false: x is what the experts made of weighed inputs
};
struct AddOp {  // out += scale * sigmoid(gate) * x
  const Buffer* x = nullptr;
  const Buffer* out = nullptr;
  const Buffer* gate = nullptr;  // [rows, 1]; null: none
  float scale = 1;
};
struct BlendOp {  // out += (offset + weights[.., column]) * x
  const Buffer* x = nullptr;
  const Buffer* weights = nullptr;
  int column = 0;
  float offset = 0;
  const Buffer* out = nullptr;
};
struct MatchOp {  // x *= rms(like) / sqrt(max(mean(x^2), least)), in place
  const Buffer* x = nullptr;
  const Buffer* like = nullptr;
  float least = 0;
};
struct CutoffOp {  // x = max(0, x - mean(x) - deviations * deviation(x)) of each row, in place
  const Buffer* x = nullptr;
  float deviations = 0;
};
// x = softcap * tanh(scale * x / softcap), in place; softcap 0: scale * x; limit: then no value is
// beyond [-limit, limit]; 0: none is bounded.
struct CapOp {
  const Buffer* x = nullptr;
  float scale = 1;
  float softcap = 0;
  float limit = 0;
};
struct JoinOp {  // out = [x | y]
  const Buffer* x = nullptr;
  const Buffer* y = nullptr;
  const Buffer* out = nullptr;
};
struct ConvolveOp {
  const Buffer* x = nullptr;
  const Convolution* convolution = nullptr;
  const Buffer* out = nullptr;
};
struct ScanOp {
  const Buffer* x = nullptr;
  const Buffer* a = nullptr;
  const Buffer* b = nullptr;  // of the delta rules only
  const Recurrence* recurrence = nullptr;
  const Buffer* out = nullptr;  // [tokens, v_heads * v_dim]
};
struct SelectiveOp {
  const Buffer* x = nullptr;        // [tokens, channels]
  const Buffer* steps = nullptr;    // [tokens, channels]
  const Buffer* keys = nullptr;     // [tokens, rows] B
  const Buffer* queries = nullptr;  // [tokens, rows] C
  const Selective* selective = nullptr;
  const Buffer* out = nullptr;      // [tokens, channels]
};
struct GatedUnitOp {
  const Buffer* x = nullptr;  // [tokens, channels], as the others
  const Buffer* inputs = nullptr;
  const Buffer* gates = nullptr;
  const GatedUnit* unit = nullptr;
  const Buffer* out = nullptr;
};
struct GatedNormOp {  // norm(x) * silu(gate), or norm(x * silu(gate))
  const Buffer* x = nullptr;
  const Buffer* gate = nullptr;
  const Norm* norm = nullptr;
  const Buffer* out = nullptr;
  bool gate_first = false;
};
struct PoolOp {
  const Buffer* x = nullptr;
  const Buffer* out = nullptr;
  Pool pool = Pool::kMean;
};

using Op = std::variant<GatherOp, NormOp, LinearOp, HeadLinearOp, GateOp, RotateOp, StoreOp,
                        AttendOp, RouteOp, WeighOp, CombineOp, AddOp, BlendOp, MatchOp, CutoffOp,
                        CapOp, ConvolveOp, ScanOp, GatedNormOp, PoolOp, SelectiveOp, GatedUnitOp,
                        JoinOp>;

class Program {
 public:
  void clear() { ops_.clear(); }
  const std::vector<Op>& ops() const { return ops_; }
  template <typename T>
  void add(const T& op) {
    ops_.emplace_back(op);
  }

  void gather(const Weight& table, const Buffer& out, float scale = 1) {
    add(GatherOp{&table, &out, GatherOp::Index::kToken, 0, scale, false});
  }
  void norm(const Buffer& x, const Norm& norm, const Buffer& out) { add(NormOp{&x, &norm, &out}); }
  // The residual stream after a norm of what is added to it.
  void norm_add(const Buffer& x, const Norm& norm, const Buffer& out) {
    add(NormOp{&x, &norm, &out, true});
  }
  void linear(const Buffer& x, std::initializer_list<Product> products,
              const Buffer* routing = nullptr);
  void gate(Activation activation, const Buffer& gate, const Buffer& up, const Buffer& out) {
    add(GateOp{&gate, &up, &out, activation});
  }
  void activate(Activation activation, const Buffer& x, const Buffer& out) {
    add(GateOp{&x, nullptr, &out, activation});
  }
  void rotate(const Buffer& x, int heads, const Rope& rope) { add(RotateOp{&x, heads, &rope}); }
  void store(const Buffer& k, const Buffer& v, CacheSlot cache) {
    add(StoreOp{&k, nullptr, &v, cache});
  }
  void attend(const Buffer& q, const Attend& attend, const Buffer& out) {
    add(AttendOp{&q, &attend, &out, nullptr});
  }
  void add_to(const Buffer& x, const Buffer& out, float scale = 1) {
    add(AddOp{&x, &out, nullptr, scale});
  }

 private:
  std::vector<Op> ops_;
};

}  // namespace quire
