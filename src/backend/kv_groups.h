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

struct KvGroupShape {
  std::string name = "kv";
  int layers = 0;
  // Positions: K is [kv_heads, k_dim] and V [kv_heads, v_dim] for each. v_dim 0: V is the beginning
  // of K (the latent of MLA).
  int kv_heads = 0;
  int k_dim = 0;
  int v_dim = 0;
  DType dtype = DType::kF16;  // kF32, kF16, kBF16 or kI8: a scale per token and head, for K and V
  int window = 0;             // positions that a token sees, itself included; 0: all
  bool is_encoder = false;    // as long as the encoder's input (cross-attention)
  // A state: float32 values of one layer of one sequence; 0: the group holds positions.
  int state_floats = 0;
  int blocks = 0;  // block 0 included: padding, never read

  bool is_state() const { return state_floats > 0; }
};

// Bytes of K, or of V, of one head in one block. Codes of int8 fill whole groups of 16 dimensions;
// a float32 scale per token follows them.
constexpr std::size_t kv_head_bytes(DType dtype, int dim) {
  const auto values = static_cast<std::size_t>(dim);
  if (values == 0) return 0;
  if (dtype == DType::kI8) return kBlockTokens * ((values + 15) / 16 * 16 + sizeof(float));
  return kBlockTokens * values * dtype_info(dtype).block_bytes;
}

// Bytes of one block of a group in one layer.
inline std::size_t kv_layer_block_bytes(const KvGroupShape& group) {
  if (group.is_state()) return static_cast<std::size_t>(group.state_floats) * sizeof(float);
  return static_cast<std::size_t>(group.kv_heads) *
         (kv_head_bytes(group.dtype, group.k_dim) + kv_head_bytes(group.dtype, group.v_dim));
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
