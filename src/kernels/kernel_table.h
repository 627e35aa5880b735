// KernelTable: the CPU vocabulary, one struct of function pointers per instruction set. Kernels get
// raw pointers and a range of work; they start no threads and allocate nothing. A table is chosen
// once at start (select.h) and is immutable; any thread.
//
// Batch invariance: every slot writes for one token (or query) the same bits whatever else is in
// the same call. Each output element is one lane that accumulates over K in one fixed order.
// Pointers need no alignment unless stated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string_view>

#include "tensor/dtype.h"
#include "tensor/quant_blocks.h"

namespace quire {

// The forms of activations; each weight type reads one of them. kInt8 is groups of 32
// (ActivationBlock), kInt8Token one scale for the whole token (ChannelToken).
enum class ActivationForm : std::uint8_t { kF32, kBF16, kInt8, kInt8Token };
inline constexpr std::size_t kActivationForms = 4;

constexpr ActivationForm activation_form(DType weight) {
  if (weight == DType::kF32 || weight == DType::kF16) return ActivationForm::kF32;
  if (weight == DType::kF8 || weight == DType::kI8A16) return ActivationForm::kF32;
  if (weight == DType::kI8) return ActivationForm::kInt8Token;
  return weight == DType::kBF16 ? ActivationForm::kBF16 : ActivationForm::kInt8;
}

// out[t, r] (+)= dot(weight[r], x[t]) + bias[r] for the rows of tiles [tile_begin, tile_end).
// A tile is `tile_rows` rows packed by kernels/pack.h. The sum is complete before bias and out are
// added to it, in that order.
struct MatmulTask {
  const std::byte* tiles = nullptr;  // the matrix, 64-byte aligned
  std::size_t bytes_per_tile = 0;
  int rows = 0;     // of the matrix; the last tile may be partial
  int columns = 0;  // K
  int tile_begin = 0, tile_end = 0;
  const std::byte* x = nullptr;  // [tokens] rows in the form of the weight type, 16-byte aligned
  std::size_t x_stride = 0;      // bytes from one token to the next
  int tokens = 0;
  float* out = nullptr;  // [tokens, out_stride]
  int out_stride = 0;
  const float* bias = nullptr;  // [rows] or null
  bool accumulate = false;
  std::byte* scratch = nullptr;  // matmul_scratch_bytes, 64-byte aligned, or null (slower)
  const std::byte* next = nullptr;  // packed tiles that the caller will want after these, or null
  std::size_t next_bytes = 0;
};

// Room for 64 rows of K = columns as bytes, with four floats per row and group of 32.
constexpr std::size_t matmul_scratch_bytes(int columns) {
  return static_cast<std::size_t>(columns / 32) * 64 * (32 + 4 * sizeof(float));
}

// One split of attention (256 absolute positions) for some queries that read the same blocks and
// KV head: heads of a group, tokens of a sequence, or sequences that share these blocks.
// K of a block is [k_dim, 32 tokens], V is [32 tokens, v_dim], of whatever type each:
//   F32, F16, BF16
//   F8 (E4M3)   followed by [32] scales, float32, 2^8 times too large (E4m3Element)
//   I8          K is [padded k / 4, 32, 4] codes + 128, V [8, padded v, 4] codes, then [32] scales
//   Q4_1        codes of 4 bits with a scale and a minimum per token and 32 values; padded to 32s:
//               K is [padded k / 8, 32, 4] bytes, the low nibbles of four values, the high ones of
//               the next; V [8, padded v / 2, 4], of each 32 values the first 16 in low nibbles;
//               then [padded / 32, 32] scales and as many minima, bfloat16
//
// A query at position p sees the positions s <= its last one with s > p - window. The score of s is
// q * k, then capped, then its slope and bias are added:
//   score = softcap * tanh(q * k / softcap) + slope * (s - p) + bias[s - p]
struct AttentionTask {
  const float* q = nullptr;                 // [queries, k_dim], already times the scale
  const std::int32_t* positions = nullptr;  // [queries] the last position that each sees; -1: none
  const std::int32_t* query_positions = nullptr;  // [queries] of each itself; null: the same
  int queries = 0;
  int k_dim = 0;
  int v_dim = 0;
  int window = 0;                          // 0: all positions up to the last
  float softcap = 0;                       // 0: none
  const float* slopes = nullptr;           // [queries] of ALiBi, or null
  const float* const* biases = nullptr;    // [queries] the bias of distance 0 of each, or null
  DType k_dtype = DType::kF16, v_dtype = DType::kF16;
  const std::byte* k = nullptr;            // K of block 0 for this layer and head
  const std::byte* v = nullptr;            // V of block 0; null: V is K's first v_dim values
  std::size_t block_stride = 0;            // bytes from one block to the next
  const std::int32_t* blocks = nullptr;    // block ids of the sequence, in position order
  int split = 0;                           // positions [256 * split, 256 * (split + 1))
  float* states = nullptr;                 // attention_state_floats(queries, v_dim), written
  float* scratch = nullptr;  // attention_scratch_floats(..), 64-byte aligned
};

// Softmax states of some queries: sums of exp(score - peak) * V, peaks, and sums of exp.
struct AttentionState {
  float* values;  // [queries, attention_padded_dim(v_dim)]
  float* peaks;   // [queries]
  float* sums;    // [queries]
};
constexpr int attention_padded_dim(int dim) { return (dim + 15) / 16 * 16; }
constexpr int attention_state_floats(int queries, int v_dim) {
  return queries * attention_padded_dim(v_dim) + 2 * ((queries + 15) / 16 * 16);
}
// The states that lie at `floats`, from query `first` on.
constexpr AttentionState attention_state(float* floats, int queries, int v_dim, int first = 0) {
  float* peaks = floats + queries * attention_padded_dim(v_dim);
  return {floats + first * attention_padded_dim(v_dim), peaks + first,
          peaks + (queries + 15) / 16 * 16 + first};
}
inline constexpr int kQueryBlockMax = 8;  // queries that share one pass over a K or V tile
inline constexpr int kKvGroupValues = 32;  // of a head that share a scale and a minimum
constexpr int attention_widened_dim(int dim) {
  return (dim + kKvGroupValues - 1) / kKvGroupValues * kKvGroupValues;
}
// Queries as codes with a scale, and their sums over every group.
constexpr int attention_query_floats(int queries, int k_dim) {
  const int padded = attention_widened_dim(k_dim);
  return (queries * (padded / 4 + 1 + padded / kKvGroupValues) + 15) / 16 * 16;
}
// Those, and a tile of K and V as floats.
constexpr int attention_scratch_floats(int queries, int k_dim, int v_dim) {
  return attention_query_floats(queries, k_dim) +
         32 * (attention_widened_dim(k_dim) + attention_padded_dim(v_dim) + 1);
}

// Kinds of activation functions; gelu_tanh is the approximation by tanh, relu_squared max(x, 0)^2,
// none the value itself.
enum class Activation : std::uint8_t {
  kSilu,
  kGelu,
  kGeluTanh,
  kRelu,
  kReluSquared,
  kSigmoid,
  kTanh,
  kSoftplus,
  kExp,
  kNone,
};

// What a recurrent layer keeps of its state at a token, from what its products say:
//   steps[i] = clamp(softplus(x[i] + bias[i]), step_min, step_max)
//   decays[i] = exp(rates[i] * steps[i])
struct DecayTask {
  int count = 0;                // of heads
  const float* x = nullptr;     // [count]
  const float* bias = nullptr;  // [count] or null
  const float* rates = nullptr;  // [count], negative: -exp(A_log)
  float step_min = 0, step_max = std::numeric_limits<float>::infinity();
  float* steps = nullptr;   // [count] or null
  float* decays = nullptr;  // [count]
};

// One head of a recurrent layer over a run of tokens of one row. For each token, S being its state:
//   S *= decay; S += k (change)^T; out = S^T q + skip * v
//   change = gain * v (Mamba-2: k is B, q is C, gain is dt, skip is D)
//   change = gain * (v - S^T k) where is_delta (gated delta rule: gain is beta; q and k are
//   normalised and q scaled already)
// A state is [v_dim / 16 tiles, k_dim, 16], the last tile padded. Columns are independent: a task
// may be cut into several at multiples of 16 (v, out + 16 i; states + 16 i * k_dim).
// Token t reads what token t - 1 wrote (the first one: `state`) and writes to states[t].
// With row_decays each row of the state has a decay of its own, and decays is not read (Kimi's
// delta rule; is_delta only).
struct ScanTask {
  int tokens = 0, k_dim = 0, v_dim = 0;
  const float* q = nullptr;       // [tokens, k_dim]; strides are floats from token to token
  const float* k = nullptr;       // [tokens, k_dim]
  const float* v = nullptr;       // [tokens, v_dim]
  const float* decays = nullptr;  // [tokens]
  const float* row_decays = nullptr;  // [tokens, k_dim], decay_stride apart; or null
  const float* gains = nullptr;   // [tokens], or null: 1
  float* out = nullptr;           // [tokens, v_dim]; not an input
  std::ptrdiff_t q_stride = 0, k_stride = 0, v_stride = 0, out_stride = 0;
  std::ptrdiff_t decay_stride = 1, gain_stride = 1;
  float skip = 0;
  bool is_delta = false;
  float* state = nullptr;            // scan_state_floats; written only if states is null
  float* const* states = nullptr;    // [tokens], some of them equal or `state` itself; or null
};
inline constexpr int kScanColumns = 16;
constexpr int scan_state_floats(int k_dim, int v_dim) {
  return (v_dim + kScanColumns - 1) / kScanColumns * kScanColumns * k_dim;
}

// out[t, c] = f(bias[c] + sum over i of weights[i, c] * x[t - width + 1 + i, c]) for the channels
// [channel_begin, channel_end), f being silu or nothing. Inputs before the run are the state: the
// last width - 1 ones, the oldest first. After token t it goes to states[t], as in ScanTask.
struct ConvTask {
  int tokens = 0, channels = 0, width = 0;  // 1 <= width <= kConvWidthMax
  int channel_begin = 0, channel_end = 0;
  const float* x = nullptr;        // [tokens, channels]; strides are floats from token to token
  const float* weights = nullptr;  // [width, channels]
  const float* bias = nullptr;     // [channels] or null
  float* out = nullptr;            // [tokens, channels]; not x
  std::ptrdiff_t x_stride = 0, out_stride = 0;
  bool is_silu = false;
  float* state = nullptr;          // [width - 1, channels]; written only if states is null
  float* const* states = nullptr;  // [tokens] or null
};
inline constexpr int kConvWidthMax = 16;

// Mamba's selective scan, channels [channel_begin, channel_end) of it, for each token:
//   step = softplus(steps[c] + bias[c])
//   S[n, c] = S[n, c] * exp(rates[n, c] * step) + step * x[c] * keys[n]
//   out[c] = skip[c] * x[c] + the sum of S[n, c] * queries[n] in order of n
// Inputs before the run are the state; after token t it goes to states[t], as in ScanTask.
struct SelectiveTask {
  int tokens = 0, channels = 0, rows = 0;  // rows: of the state
  int channel_begin = 0, channel_end = 0;
  const float* x = nullptr;        // [tokens, channels]; strides are floats from token to token
  const float* steps = nullptr;    // [tokens, channels]
  const float* keys = nullptr;     // [tokens, rows]
  const float* queries = nullptr;  // [tokens, rows]
  const float* bias = nullptr;     // [channels]
  const float* rates = nullptr;    // [rows, channels], negative: -exp(A_log)
  const float* skip = nullptr;     // [channels]
  float* out = nullptr;            // [tokens, channels]; may be x
  std::ptrdiff_t x_stride = 0, step_stride = 0, key_stride = 0, query_stride = 0, out_stride = 0;
  float* state = nullptr;          // [rows, channels]; written only if states is null
  float* const* states = nullptr;  // [tokens] or null
};

// The real-gated linear recurrent unit (De et al., "Griffin", 2024), likewise:
//   a = exp(rates[c] * sigmoid(gates[c] + gate_bias[c]))
//   h[c] = a * h[c] + sqrt(1 - a^2) * sigmoid(inputs[c] + input_bias[c]) * x[c];  out[c] = h[c]
// The root is 1 for the first token of a text (is_new).
struct GatedUnitTask {
  int tokens = 0;
  int channel_begin = 0, channel_end = 0;
  const float* x = nullptr;       // [tokens, channels]; strides are floats from token to token
  const float* inputs = nullptr;  // [tokens, channels]
  const float* gates = nullptr;   // [tokens, channels]
  const float* input_bias = nullptr;  // [channels]
  const float* gate_bias = nullptr;   // [channels]
  const float* rates = nullptr;       // [channels], negative
  float* out = nullptr;               // [tokens, channels]; may be x
  std::ptrdiff_t x_stride = 0, input_stride = 0, gate_stride = 0, out_stride = 0;
  bool is_new = false;
  float* state = nullptr;          // [channels]; written only if states is null
  float* const* states = nullptr;  // [tokens] or null
};

// How products of bf16 weights are rounded. All else has the same bits in every table, so that two
// tables with the same products are interchangeable.
enum class Bf16Products : std::uint8_t { kWidened, kPairs };

struct KernelTable {
  std::string_view name;
  Bf16Products bf16_products = Bf16Products::kWidened;
  int tile_rows = 0;  // rows interleaved in a packed tile: 4, 8 or 16

  // --- products, by the weight's DType ---
  void (*matmul[std::size(kDTypes)])(const MatmulTask&) = {};

  // --- activations ---
  // out: [columns / 32]; columns is a multiple of 32
  void (*quantize_int8)(const float* x, int columns, ActivationBlock* out) = nullptr;
  // out: channel_token_bytes(columns); scale: the token's, or 0 for its largest magnitude / 127.
  // Codes beyond +-127 are clamped there.
  void (*quantize_token)(const float* x, int columns, float scale, ChannelToken* out) = nullptr;
  void (*narrow_bf16)(const float* x, int count, std::uint16_t* out) = nullptr;  // round to even
  void (*narrow_half)(const float* x, int count, std::uint16_t* out) = nullptr;
  // x: [dim], rotated in place; adjacent pairs (2i, 2i+1) or halves (i, i + dim/2). A part of a
  // head is rotated by pointing at it: dim is what turns, and what lies behind is left alone.
  void (*rope)(float* x, const float* cosines, const float* sines, int dim,
               bool adjacent) = nullptr;

  // --- norms, of one row; out may be x ---
  // out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]
  void (*rmsnorm)(const float* x, const float* weight, float eps, int count, float* out) = nullptr;
  // out[i] = (x[i] - mean) / sqrt(variance + eps) * weight[i] + bias[i]; weight, bias: or null
  void (*layernorm)(const float* x, const float* weight, const float* bias, float eps, int count,
                    float* out) = nullptr;
  // out[i] = x[i] / sqrt(sum(x^2) + eps) * scale
  void (*l2norm)(const float* x, float eps, float scale, int count, float* out) = nullptr;
  // rmsnorm(x) * silu(gate), or rmsnorm(x * silu(gate)) if the gate is first; out is not gate
  void (*rmsnorm_gated)(const float* x, const float* gate, const float* weight, float eps,
                        int count, bool is_gate_first, float* out) = nullptr;

  // --- elementwise; out may be an input ---
  // out[i] = gate[i] / (1 + exp(-gate[i])) * up[i]: act_mul of kSilu, bit for bit
  void (*silu_mul)(const float* gate, const float* up, int count, float* out) = nullptr;
  void (*act)(Activation kind, const float* x, int count, float* out) = nullptr;
  // out[i] = f(gate[i]) * up[i]
  void (*act_mul)(Activation kind, const float* gate, const float* up, int count,
                  float* out) = nullptr;
  // out[i] = cap * tanh(x[i] / cap)
  void (*soft_cap)(float cap, const float* x, int count, float* out) = nullptr;
  // out[i] = fma(x[i], scale, out[i])
  void (*add_scaled)(const float* x, float scale, int count, float* out) = nullptr;
  void (*scaled)(const float* x, float factor, int count, float* out) = nullptr;  // x[i] * factor

  // --- attention ---
  // codes: [count] int8 with the scale that it returns; NaN if an x is not finite
  float (*quantize_head)(const float* x, int count, std::int8_t* codes) = nullptr;
  // likewise E4M3 codes, whose scale undoes them 2^8 times smaller
  float (*quantize_e4m3)(const float* x, int count, std::uint8_t* codes) = nullptr;
  // codes: [count padded to 32] of 4 bits, each in a byte; scales, minima: bfloat16 of every 32
  void (*quantize_nibbles)(const float* x, int count, std::int8_t* codes, std::uint16_t* scales,
                           std::uint16_t* minima) = nullptr;
  void (*attention_clear)(const AttentionState&, int queries, int v_dim) = nullptr;
  void (*attention_split)(const AttentionTask&) = nullptr;
  // total = total folded with the next split
  void (*attention_fold)(const AttentionState& total, const AttentionState& next, int queries,
                         int v_dim) = nullptr;
  // out: [queries, v_dim] = weighted sum / sum of weights. sinks: [queries] scores of nothing,
  // which take part in the sum of weights alone; or null.
  void (*attention_finish)(const AttentionState&, const float* sinks, int queries, int v_dim,
                           float* out) = nullptr;

  // --- recurrence ---
  void (*decays)(const DecayTask&) = nullptr;
  void (*scan)(const ScanTask&) = nullptr;
  void (*conv)(const ConvTask&) = nullptr;
  void (*selective)(const SelectiveTask&) = nullptr;
  void (*gated_unit)(const GatedUnitTask&) = nullptr;

  // --- logits ---
  // out[i] = exp(x[i] - max) / sum; out may be x. For short rows (routers); NaN if an x is.
  void (*softmax)(const float* x, int count, float* out) = nullptr;
  float (*max_value)(const float* x, int count) = nullptr;            // skips NaN
  double (*sum_exp)(const float* x, int count, float max) = nullptr;  // of exp(x - max)
  int (*first_above)(const float* x, int begin, int count, float threshold) = nullptr;  // or count
  // words[i * groups + g] = philox(seed, position, stream + g)[i] (base/philox.h); the largest of
  // them is returned. stream + groups must not pass a multiple of 2^32.
  std::uint32_t (*philox_words)(std::uint64_t seed, std::uint64_t position, std::uint64_t stream,
                                int groups, std::uint32_t* words) = nullptr;
};

}  // namespace quire
