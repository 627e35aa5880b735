// CpuBackend's writing of KV: norms and rotary positions on the way in, then K transposed and V as
// it is, in the cache's type. One token per item: no two workers write the same bytes.
#include <cstring>

#include "backend/cpu_backend.h"

namespace quire {

namespace {

// Where a key or a value goes.
struct KvCell {
  std::byte* at;  // the head's K, or its V, in the block
  int offset;     // of the token in the block
  int dim;
};

// K is [dim, 32], V is [32, dim].
template <typename T>
void store_key(const KvCell& cell, const T* key) {
  auto* k = reinterpret_cast<T*>(cell.at) + cell.offset;
  for (int d = 0; d < cell.dim; ++d) k[d * kBlockTokens] = key[d];
}
template <typename T>
void store_value(const KvCell& cell, const T* value) {
  std::memcpy(reinterpret_cast<T*>(cell.at) + cell.offset * cell.dim, value,
              static_cast<std::size_t>(cell.dim) * sizeof(T));
}

// The layout of int8 that kernel_table.h draws. What lies behind the head dimension stays as it is:
// it meets codes of zero, or is never read.
void put_scale(const KvCell& cell, float scale) {
  std::memcpy(cell.at + kBlockTokens * attention_padded_dim(cell.dim) + cell.offset * 4, &scale,
              sizeof scale);
}
void store_key_codes(const KvCell& cell, const std::int8_t* codes) {
  auto* k = reinterpret_cast<std::uint8_t*>(cell.at) + cell.offset * 4;
  for (int d = 0; d < cell.dim; ++d) {
    k[d / 4 * 4 * kBlockTokens + d % 4] = static_cast<std::uint8_t>(codes[d] + 128);
  }
}
void store_value_codes(const KvCell& cell, const std::int8_t* codes) {
  const int padded = attention_padded_dim(cell.dim);
  auto* v =
      reinterpret_cast<std::int8_t*>(cell.at) + cell.offset / 4 * 4 * padded + cell.offset % 4;
  for (int d = 0; d < cell.dim; ++d) v[d * 4] = codes[d];
}

}  // namespace

void CpuBackend::rotate(const RopeCall& call, int token, const float* norm, float* head) const {
  const int dim = call.shape.head_dim;
  const std::ptrdiff_t angle =
      static_cast<std::ptrdiff_t>(call.batch.positions[static_cast<std::size_t>(token)]) *
      (dim / 2);
  if (norm != nullptr) kernels_.rmsnorm(head, norm, call.rope.norm_eps, dim, head);
  kernels_.rope(head, call.rope.cosines + angle, call.rope.sines + angle, dim,
                call.rope.pairing == RopePairing::kAdjacent);
}

// One key or value of one head into the cache.  values: [head_dim]; scratch: [head_dim]
void CpuBackend::store_head(const RopeCall& call, int token, int head, bool is_key,
                            const float* values, float* scratch) const {
  const CpuKvStore& kv = call.kv;
  const int dim = call.shape.head_dim, slot = call.batch.slots[static_cast<std::size_t>(token)];
  const int block = slot / kBlockTokens;
  QUIRE_CHECK(slot >= 0 && block < kv.shape.blocks, "slot {} of {} blocks", slot, kv.shape.blocks);
  const KvCell cell{is_key ? kv.k(call.layer, block, head) : kv.v(call.layer, block, head),
                    slot % kBlockTokens, dim};
  const auto store = [&](const auto* what) {
    is_key ? store_key(cell, what) : store_value(cell, what);
  };
  switch (kv.shape.dtype) {
    case DType::kF32:
      return store(values);
    case DType::kI8: {
      auto* codes = reinterpret_cast<std::int8_t*>(scratch);
      put_scale(cell, kernels_.quantize_head(values, dim, codes));
      return is_key ? store_key_codes(cell, codes) : store_value_codes(cell, codes);
    }
    default: {
      auto* narrow = reinterpret_cast<std::uint16_t*>(scratch);
      (kv.shape.dtype == DType::kF16 ? kernels_.narrow_half : kernels_.narrow_bf16)(values, dim,
                                                                                    narrow);
      return store(narrow);
    }
  }
}

// The key is rotated on the way.  scratch: [2, head_dim]
void CpuBackend::store_rotated(const RopeCall& call, int token, int head, const float* key,
                               float* scratch) const {
  const int dim = call.shape.head_dim;
  std::memcpy(scratch, key, static_cast<std::size_t>(dim) * sizeof(float));
  rotate(call, token, call.rope.k_norm, scratch);
  store_head(call, token, head, true, scratch, scratch + dim);
}

void CpuBackend::rope_store(const AttentionShape& shape, const RopeSpec& rope,
                            const BatchView& batch, float* q, int q_stride, const float* k,
                            const float* v, int kv_stride, KvStore& kv, int layer) {
  auto& store = static_cast<CpuKvStore&>(kv);
  QUIRE_CHECK(shape.head_dim == kv.shape.head_dim && shape.kv_heads == kv.shape.kv_heads,
              "KV of {} x {} for heads of {} x {}", kv.shape.kv_heads, kv.shape.head_dim,
              shape.kv_heads, shape.head_dim);
  const int dim = shape.head_dim;
  const auto room = static_cast<std::size_t>(2 * dim);
  grow_scratch(room);
  const RopeCall call{shape, rope, batch, store, layer};
  const auto body = [&](int token, int worker) {
    float* queries = q + static_cast<std::ptrdiff_t>(token) * q_stride;
    for (int head = 0; head < shape.heads; ++head) {
      rotate(call, token, rope.q_norm, queries + head * dim);
    }
    const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(token) * kv_stride;
    float* floats = scratch(worker, room);
    for (int head = 0; head < shape.kv_heads; ++head) {
      store_rotated(call, token, head, k + from + head * dim, floats);
      store_head(call, token, head, false, v + from + head * dim, floats);
    }
  };
  if (batch.tokens() <= 2) {
    for (int token = 0; token < batch.tokens(); ++token) body(token, 0);
  } else {
    pool_.for_each(batch.tokens(), body);
  }
}

}  // namespace quire
