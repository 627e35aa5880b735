// CpuBackend's writing of KV: norms and rotary positions on the way in, then K transposed and V as
// it is, in the cache's type. One token per item: no two workers write the same bytes.
#include <cstring>

#include "backend/cpu_backend.h"

namespace quire {

namespace {

// Where one token of one head goes.
struct KvCell {
  std::byte *k, *v;  // the head's K and V in the block
  int offset;        // of the token in the block
  int dim;
};

// K is [dim, 32], V is [32, dim].
template <typename T>
void store_plain(const KvCell& cell, const T* key, const T* value) {
  auto* k = reinterpret_cast<T*>(cell.k) + cell.offset;
  for (int d = 0; d < cell.dim; ++d) k[d * kBlockTokens] = key[d];
  std::memcpy(reinterpret_cast<T*>(cell.v) + cell.offset * cell.dim, value,
              static_cast<std::size_t>(cell.dim) * sizeof(T));
}

// The layout of int8 that kernel_table.h draws. What lies behind the head dimension stays as it is:
// it meets codes of zero, or is never read.
void store_int8(const KernelTable& kernels, const KvCell& cell, const float* key,
                const float* value, std::int8_t* codes) {
  const int padded = attention_padded_dim(cell.dim);
  const auto put_scale = [&](std::byte* half, float scale) {
    std::memcpy(half + kBlockTokens * padded + cell.offset * 4, &scale, sizeof scale);
  };
  put_scale(cell.k, kernels.quantize_head(key, cell.dim, codes));
  auto* k = reinterpret_cast<std::uint8_t*>(cell.k) + cell.offset * 4;
  for (int d = 0; d < cell.dim; ++d) {
    k[d / 4 * 4 * kBlockTokens + d % 4] = static_cast<std::uint8_t>(codes[d] + 128);
  }
  put_scale(cell.v, kernels.quantize_head(value, cell.dim, codes));
  auto* v = reinterpret_cast<std::int8_t*>(cell.v) + cell.offset / 4 * 4 * padded + cell.offset % 4;
  for (int d = 0; d < cell.dim; ++d) v[d * 4] = codes[d];
}

}  // namespace

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
  auto* narrow = reinterpret_cast<std::uint16_t*>(scratch + dim);
  const DType dtype = kv.shape.dtype;
  for (int head = 0; head < shape.kv_heads; ++head) {
    float* key = scratch;
    std::memcpy(key, k + head * dim, static_cast<std::size_t>(dim) * sizeof(float));
    turn(key, rope.k_norm);
    const float* value = v + head * dim;
    const KvCell cell{kv.k(layer, block, head), kv.v(layer, block, head), offset, dim};
    if (dtype == DType::kF32) {
      store_plain(cell, key, value);
    } else if (dtype == DType::kI8) {
      store_int8(kernels_, cell, key, value, reinterpret_cast<std::int8_t*>(narrow));
    } else {
      const auto convert = dtype == DType::kF16 ? kernels_.narrow_half : kernels_.narrow_bf16;
      convert(key, dim, narrow);
      convert(value, dim, narrow + dim);
      store_plain(cell, narrow, narrow + dim);
    }
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
