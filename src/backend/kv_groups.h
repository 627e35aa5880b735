// What a model remembers, as data: groups of layers whose memory has the same shape. A group holds
// positions (keys and values, or one latent in place of both) or a state (recurrent layers). Blocks
// of a group are what the scheduler counts; outside of the backend a block is opaque bytes.
// Plain values; read by model, runtime and the backends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace quire {

inline constexpr int kBlockTokens = 32;    // positions per KV block
inline constexpr int kSplitTokens = 256;   // positions per attention split, at absolute positions

// What keys and values are kept as: kF32, kF16, kBF16; kF8 (E4M3) or kI8 with a scale per token and
// head; or kQ4_1, codes of 4 bits with a scale and a minimum per token and 32 values of a head.
struct KvTypes {
  DType k = DType::kF16, v = DType::kF16;

  constexpr KvTypes() = default;
  constexpr KvTypes(DType both) : k(both), v(both) {}  // NOLINT: one type is a choice of both
  constexpr KvTypes(DType keys, DType values) : k(keys), v(values) {}
  friend bool operator==(const KvTypes&, const KvTypes&) = default;
};

// "F16"; "I8 keys, Q4_1 values" where they differ.
inline std::string kv_types_name(KvTypes types) {
  const std::string keys(dtype_name(types.k));
  if (types.k == types.v) return keys;
  return keys + " keys, " + std::string(dtype_name(types.v)) + " values";
}

struct KvGroupShape {
  std::string name = "kv";
  int layers = 0;
  // Positions: K is [kv_heads, k_dim] and V [kv_heads, v_dim] for each. v_dim 0: V is the beginning
  // of K (the latent of MLA).
  int kv_heads = 0;
  int k_dim = 0;
  int v_dim = 0;
  KvTypes types;
  int window = 0;           // positions that a token sees, itself included; 0: all
  int sinks = 0;            // first positions that it sees beside the window
  bool is_encoder = false;  // as long as the encoder's input (cross-attention)
  // A state: float32 values of one layer of one sequence; 0: the group holds positions.
  int state_floats = 0;
  int blocks = 0;  // block 0 included: padding, never read

  bool is_state() const { return state_floats > 0; }
};

// Bytes of K, or of V, of one head in one block, laid out as kernels/kernel_table.h says. Codes of
// int8 fill whole groups of 16 dimensions, those of 4 bits of 32 with two bfloat16 each.
constexpr std::size_t kv_head_bytes(DType dtype, int dim) {
  const auto values = static_cast<std::size_t>(dim);
  if (values == 0) return 0;
  if (dtype == DType::kI8) return kBlockTokens * ((values + 15) / 16 * 16 + sizeof(float));
  if (dtype == DType::kF8) return kBlockTokens * (values + sizeof(float));
  if (dtype == DType::kQ4_1) return kBlockTokens * ((values + 31) / 32 * 20);
  return kBlockTokens * values * dtype_info(dtype).block_bytes;
}

// Bytes of one block of a group in one layer.
inline std::size_t kv_layer_block_bytes(const KvGroupShape& group) {
  if (group.is_state()) return static_cast<std::size_t>(group.state_floats) * sizeof(float);
  return static_cast<std::size_t>(group.kv_heads) *
         (kv_head_bytes(group.types.k, group.k_dim) + kv_head_bytes(group.types.v, group.v_dim));
}
// Over all of its layers.
inline std::size_t kv_block_bytes(const KvGroupShape& group) {
  return kv_layer_block_bytes(group) * static_cast<std::size_t>(group.layers);
}

// The memory of one model on this rank.
struct KvStore {
  virtual ~KvStore() = default;
  std::vector<KvGroupShape> groups;
};

struct BlockMove {
  int group = 0;
  std::int32_t src = 0, dst = 0;
};

}  // namespace quire
