// CpuBackend's writing of KV: norms and rotary positions on the way in, then K transposed and V as
// it is, in the cache's type. One token per item: no two workers write the same bytes.
#include <cstring>

#include "backend/cpu_backend.h"

namespace quire {

void CpuBackend::store_token(const AttentionShape& shape, const RopeSpec& rope,
                             const BatchView& batch, int token, float* q, const float* k,
                             const float* v, CpuKvStore& kv, int layer, float* scratch) {
  const int dim = shape.head_dim;
  const bool is_adjacent = rope.pairing == RopePairing::kAdjacent;
  const std::ptrdiff_t angle =
      static_cast<std::ptrdiff_t>(batch.positions[static_cast<std::size_t>(token)]) * (dim / 2);
  const auto turn = [&](float* head, const float* norm) {
    if (norm != nullptr) kernels_.rmsnorm(head, norm, rope.norm_eps, dim, head);
    kernels_.rope(head, rope.cosines + angle, rope.sines + angle, dim, is_adjacent);
  };
  for (int head = 0; head < shape.heads; ++head) turn(q + head * dim, rope.q_norm);

  const int slot = batch.slots[static_cast<std::size_t>(token)];
  const int block = slot / kBlockTokens, offset = slot % kBlockTokens;
  QUIRE_CHECK(slot >= 0 && block < kv.shape.blocks, "slot {} of {} blocks", slot, kv.shape.blocks);
  const std::size_t element = dtype_info(kv.shape.dtype).block_bytes;
  auto* narrow = reinterpret_cast<std::uint16_t*>(scratch + dim);
  for (int head = 0; head < shape.kv_heads; ++head) {
    float* key = scratch;
    std::memcpy(key, k + head * dim, static_cast<std::size_t>(dim) * sizeof(float));
    turn(key, rope.k_norm);
    std::byte* k_to = kv.k(layer, block, head) + static_cast<std::size_t>(offset) * element;
    std::byte* v_to = kv.v(layer, block, head) + static_cast<std::size_t>(offset * dim) * element;
    if (kv.shape.dtype == DType::kF32) {
      for (int d = 0; d < dim; ++d) reinterpret_cast<float*>(k_to)[d * kBlockTokens] = key[d];
      std::memcpy(v_to, v + head * dim, static_cast<std::size_t>(dim) * sizeof(float));
      continue;
    }
    const auto convert =
        kv.shape.dtype == DType::kF16 ? kernels_.narrow_half : kernels_.narrow_bf16;
    convert(key, dim, narrow);
    for (int d = 0; d < dim; ++d) {
      reinterpret_cast<std::uint16_t*>(k_to)[d * kBlockTokens] = narrow[d];
    }
    convert(v + head * dim, dim, reinterpret_cast<std::uint16_t*>(v_to));
  }
}

void CpuBackend::rope_store(const AttentionShape& shape, const RopeSpec& rope,
                            const BatchView& batch, float* q, int q_stride, const float* k,
                            const float* v, int kv_stride, KvStore& kv, int layer) {
  auto& store = static_cast<CpuKvStore&>(kv);
  QUIRE_CHECK(shape.head_dim == kv.shape.head_dim && shape.kv_heads == kv.shape.kv_heads,
              "KV of {} x {} for heads of {} x {}", kv.shape.kv_heads, kv.shape.head_dim,
              shape.kv_heads, shape.head_dim);
  const auto room = static_cast<std::size_t>(2 * shape.head_dim);
  grow_scratch(room);
  const auto body = [&](int token, int worker) {
    const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(token) * kv_stride;
    store_token(shape, rope, batch, token, q + static_cast<std::ptrdiff_t>(token) * q_stride,
                k + from, v + from, store, layer, scratch(worker, room));
  };
  if (batch.tokens() <= 2) {
    for (int token = 0; token < batch.tokens(); ++token) body(token, 0);
  } else {
    pool_.for_each(batch.tokens(), body);
  }
}

}  // namespace quire
