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
// K of a block is [head_dim, 32 tokens], V is [32 tokens, head_dim]; of int8, K is
// [padded dim / 4, 32, 4] codes + 128, V [8, padded dim, 4] codes, each followed by [32] scales.
struct AttentionTask {
  const float* q = nullptr;                 // [queries, head_dim], already times the scale
  const std::int32_t* positions = nullptr;  // [queries]
  int queries = 0;
  int head_dim = 0;
  int window = 0;                        // 0: all earlier positions
  DType dtype = DType::kF16;             // of K and V
  const std::byte* k = nullptr;          // K of block 0 for this layer and head
  const std::byte* v = nullptr;          // V of block 0 likewise
  std::size_t block_stride = 0;          // bytes from one block to the next
  const std::int32_t* blocks = nullptr;  // block ids of the sequence, in position order
  int split = 0;                         // positions [256 * split, 256 * (split + 1))
  float* states = nullptr;               // attention_state_floats(queries, head_dim), written
  float* scratch = nullptr;              // attention_scratch_floats(..), 64-byte aligned
};

// Softmax states of some queries: sums of exp(score - peak) * V, peaks, and sums of exp.
struct AttentionState {
  float* values;  // [queries, attention_padded_dim(head_dim)]
  float* peaks;   // [queries]
  float* sums;    // [queries]
};
constexpr int attention_padded_dim(int head_dim) { return (head_dim + 15) / 16 * 16; }
constexpr int attention_state_floats(int queries, int head_dim) {
  return queries * attention_padded_dim(head_dim) + 2 * ((queries + 15) / 16 * 16);
}
// The states that lie at `floats`, from query `first` on.
constexpr AttentionState attention_state(float* floats, int queries, int head_dim, int first = 0) {
  float* peaks = floats + queries * attention_padded_dim(head_dim);
  return {floats + first * attention_padded_dim(head_dim), peaks + first,
          peaks + (queries + 15) / 16 * 16 + first};
}
inline constexpr int kQueryBlockMax = 8;  // queries that share one pass over a K or V tile
constexpr int attention_scratch_floats(int queries, int head_dim) {  // a tile, or int8 queries
  const int padded = attention_padded_dim(head_dim);
  const int tile = 32 * (head_dim + padded), codes = queries * (padded / 4 + 2);
  return ((tile > codes ? tile : codes) + 15) / 16 * 16;
}

struct KernelTable {
  std::string_view name;
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
  // out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]; out may be x
  void (*rmsnorm)(const float* x, const float* weight, float eps, int count, float* out) = nullptr;
  // x: [head_dim], rotated in place; adjacent pairs (2i, 2i+1) or halves (i, i + head_dim/2)
  void (*rope)(float* x, const float* cosines, const float* sines, int head_dim,
               bool adjacent) = nullptr;
  // out[i] = gate[i] / (1 + exp(-gate[i])) * up[i]; out may be gate
  void (*silu_mul)(const float* gate, const float* up, int count, float* out) = nullptr;

  // --- attention ---
  // codes: [count] int8 with the scale that it returns; NaN if an x is not finite
  float (*quantize_head)(const float* x, int count, std::int8_t* codes) = nullptr;
  void (*attention_clear)(const AttentionState&, int queries, int head_dim) = nullptr;
  void (*attention_split)(const AttentionTask&) = nullptr;
  // total = total folded with the next split
  void (*attention_fold)(const AttentionState& total, const AttentionState& next, int queries,
                         int head_dim) = nullptr;
  // out: [queries, head_dim] = weighted sum / sum of weights
  void (*attention_finish)(const AttentionState&, int queries, int head_dim, float* out) = nullptr;

  // --- logits ---
  float (*max_value)(const float* x, int count) = nullptr;            // skips NaN
  double (*sum_exp)(const float* x, int count, float max) = nullptr;  // of exp(x - max)
  int (*first_above)(const float* x, int begin, int count, float threshold) = nullptr;  // or count
  // words[i * groups + g] = philox(seed, position, stream + g)[i] (base/philox.h); the largest of
  // them is returned. stream + groups must not pass a multiple of 2^32.
  std::uint32_t (*philox_words)(std::uint64_t seed, std::uint64_t position, std::uint64_t stream,
                                int groups, std::uint32_t* words) = nullptr;
};

}  // namespace quire
