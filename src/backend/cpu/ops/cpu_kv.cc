// CpuBackend's writing of KV: norms and rotary positions on the way in, then K transposed and V as
// it is, in the cache's type. One token per item: no two workers write the same bytes.
#include <algorithm>
#include <cstring>

#include "backend/cpu/cpu_backend.h"

namespace quire {

namespace {

constexpr int kKvGroupsMax = kCachedHeadMax / kKvGroupValues;

// Where a key or a value goes.
struct KvCell {
  std::byte* at;  // the head's K, or its V, in the block
  int offset;     // of the token in the block
  int dim;
};

// The layouts are those that kernel_table.h draws. K is [dim, 32], V is [32, dim].
template <typename T>
void put_key(const KvCell& cell, const T* key) {
  auto* k = reinterpret_cast<T*>(cell.at) + cell.offset;
  for (int d = 0; d < cell.dim; ++d) k[d * kBlockTokens] = key[d];
}
template <typename T>
void put_value(const KvCell& cell, const T* value) {
  std::memcpy(reinterpret_cast<T*>(cell.at) + cell.offset * cell.dim, value,
              static_cast<std::size_t>(cell.dim) * sizeof(T));
}

// Behind `dim` bytes of each token.
void put_scale(const KvCell& cell, int dim, float scale) {
  std::memcpy(cell.at + kBlockTokens * dim + cell.offset * 4, &scale, sizeof scale);
}

// Of int8 what lies behind the head dimension stays as it is: it meets codes of zero, or is never
// read.
void put_key_codes(const KvCell& cell, const std::int8_t* codes) {
  auto* k = reinterpret_cast<std::uint8_t*>(cell.at) + cell.offset * 4;
  for (int d = 0; d < cell.dim; ++d) {
    k[d / 4 * 4 * kBlockTokens + d % 4] = static_cast<std::uint8_t>(codes[d] + 128);
  }
}
void put_value_codes(const KvCell& cell, const std::int8_t* codes) {
  const int padded = attention_padded_dim(cell.dim);
  auto* v =
      reinterpret_cast<std::int8_t*>(cell.at) + cell.offset / 4 * 4 * padded + cell.offset % 4;
  for (int d = 0; d < cell.dim; ++d) v[d * 4] = codes[d];
}

// Codes of 4 bits, a head padded with zeros: both halves of a byte are the same token's.
void put_key_nibbles(const KvCell& cell, const std::int8_t* codes, int padded) {
  auto* k = reinterpret_cast<std::uint8_t*>(cell.at) + cell.offset * 4;
  for (int d = 0; d < padded; d += 8) {
    for (int i = 0; i < 4; ++i) {
      k[d / 2 * kBlockTokens + i] = static_cast<std::uint8_t>(codes[d + i] | codes[d + i + 4] << 4);
    }
  }
}
void put_value_nibbles(const KvCell& cell, const std::int8_t* codes, int padded) {
  auto* v = reinterpret_cast<std::uint8_t*>(cell.at) + cell.offset / 4 * 2 * padded +
            cell.offset % 4;
  constexpr int kHalf = kKvGroupValues / 2;
  for (int d = 0; d < padded / 2; ++d) {
    const std::int8_t* first = codes + d / kHalf * kKvGroupValues + d % kHalf;
    v[d * 4] = static_cast<std::uint8_t>(first[0] | first[kHalf] << 4);
  }
}
void put_group_scales(const KvCell& cell, const std::uint16_t* scales, int groups) {
  auto* to = reinterpret_cast<std::uint16_t*>(
                 cell.at + groups * kKvGroupValues / 2 * kBlockTokens) + cell.offset;
  for (int i = 0; i < 2 * groups; ++i) to[i * kBlockTokens] = scales[i];  // minima behind them
}

}  // namespace

// Norms and rotates one head.  head: [head_dim]
void CpuBackend::rotate(const RotateOp& op, const BatchView& batch, int token, float* head) const {
  const Rope& rope = *op.rope;
  const int dim = op.x->columns / op.heads;
  if (rope.norm) norm_values(rope.norm, head, dim, head);
  if (!rope.cosines) return;
  float room[kCachedHeadMax];
  const Angles angles =
      far_angles_.of(rope, batch.positions[static_cast<std::size_t>(token)], room);
  kernels_.rope(head + rope.begin, angles.cosines, angles.sines, rope.dims,
                rope.pairing == RopePairing::kAdjacent);
}

// One key or value of one head into the cache.  values: [k_dim or v_dim]; room: as many and a group
void CpuBackend::store_head(const StoreCall& call, int token, int head, bool is_key,
                            const float* values, float* room) const {
  const KvGroupShape& shape = call.kv.shape;
  const int dim = is_key ? shape.k_dim : shape.v_dim;
  const int slot = call.view.slots[static_cast<std::size_t>(token)];
  const int block = slot / kBlockTokens;
  QUIRE_CHECK(slot >= 0 && block < shape.blocks, "slot {} of {} blocks", slot, shape.blocks);
  std::byte* at = is_key ? call.kv.k(call.layer, block, head) : call.kv.v(call.layer, block, head);
  const KvCell cell{at, slot % kBlockTokens, dim};
  const auto put = [&](const auto* what) {
    is_key ? put_key(cell, what) : put_value(cell, what);
  };
  const DType dtype = is_key ? shape.types.k : shape.types.v;
  switch (dtype) {
    case DType::kF32:
      return put(values);
    case DType::kI8: {
      auto* codes = reinterpret_cast<std::int8_t*>(room);
      put_scale(cell, attention_padded_dim(dim), kernels_.quantize_head(values, dim, codes));
      return is_key ? put_key_codes(cell, codes) : put_value_codes(cell, codes);
    }
    case DType::kF8: {
      auto* codes = reinterpret_cast<std::uint8_t*>(room);
      put_scale(cell, dim, kernels_.quantize_e4m3(values, dim, codes));
      return put(codes);
    }
    case DType::kQ4_1: {
      const int padded = attention_widened_dim(dim), groups = padded / kKvGroupValues;
      auto* codes = reinterpret_cast<std::int8_t*>(room);
      std::uint16_t scales[2 * kKvGroupsMax];
      kernels_.quantize_nibbles(values, dim, codes, scales, scales + groups);
      put_group_scales(cell, scales, groups);
      return is_key ? put_key_nibbles(cell, codes, padded)
                    : put_value_nibbles(cell, codes, padded);
    }
    default: {
      auto* narrow = reinterpret_cast<std::uint16_t*>(room);
      (dtype == DType::kF16 ? kernels_.narrow_half : kernels_.narrow_bf16)(values, dim,
                                                                                 narrow);
      return put(narrow);
    }
  }
}

// The key is put together and rotated on the way; what it came from stays.
// room: [2, k_dim] and a group
void CpuBackend::store_key(const StoreCall& call, int token, int head, const float* key,
                           float* room) const {
  const StoreOp& op = *call.store;
  const int dim = op.k->columns / call.kv.shape.kv_heads;
  std::memcpy(room, key, static_cast<std::size_t>(dim) * sizeof(float));
  if (op.k_rest != nullptr) {
    std::memcpy(room + dim, cpu(*op.k_rest).floats(token),
                static_cast<std::size_t>(op.k_rest->columns) * sizeof(float));
  }
  if (call.rotate_k != nullptr) rotate(*call.rotate_k, call.batch, token, room);
  store_head(call, token, head, true, room, room + call.kv.shape.k_dim);
}

void CpuBackend::store_token(const StoreCall& call, int token, float* room) const {
  if (call.rotate_q != nullptr) {
    const RotateOp& op = *call.rotate_q;
    float* heads = cpu(*op.x).floats(token);
    const int dim = op.x->columns / op.heads;
    for (int head = 0; head < op.heads; ++head) {
      rotate(op, call.batch, token, heads + head * dim);
    }
  }
  if (call.store == nullptr) return;
  const KvGroupShape& shape = call.kv.shape;
  const float* keys = cpu(*call.store->k).floats(token);
  const int k_dim = call.store->k->columns / shape.kv_heads;
  for (int head = 0; head < shape.kv_heads; ++head) {
    store_key(call, token, head, keys + head * k_dim, room);
    if (call.store->v == nullptr) continue;
    store_head(call, token, head, false,
               cpu(*call.store->v).floats(token) + head * shape.v_dim, room);
  }
}

void CpuBackend::store_all(const StoreCall& call) {
  const KvGroupShape& shape = call.kv.shape;
  const StoreOp& op = *call.store;
  const int rest = op.k_rest == nullptr ? 0 : op.k_rest->columns;
  QUIRE_CHECK(op.k->columns == shape.kv_heads * (shape.k_dim - rest) &&
                  (op.v == nullptr || op.v->columns == shape.kv_heads * shape.v_dim),
              "{} + {} columns of keys and {} of values for {} heads of {} and {}", op.k->columns,
              rest, op.v == nullptr ? 0 : op.v->columns, shape.kv_heads, shape.k_dim, shape.v_dim);
  QUIRE_CHECK(call.layer >= 0 && call.layer < shape.layers &&
                  call.view.slots.size() >= static_cast<std::size_t>(call.batch.tokens()),
              "layer {} of {}, {} slots for {} tokens", call.layer, shape.layers,
              call.view.slots.size(), call.batch.tokens());
  // Codes of a short head fill a group.
  const auto room =
      static_cast<std::size_t>(2 * std::max(shape.k_dim, shape.v_dim) + kKvGroupValues);
  grow_scratch(room);
  const auto body = [&](int token, int worker) {
    store_token(call, token, scratch(worker, room));
  };
  if (call.batch.tokens() <= 2) {
    for (int token = 0; token < call.batch.tokens(); ++token) body(token, 0);
  } else {
    pool_.for_each(call.batch.tokens(), body);
  }
}

// The heads of an item of q, k or v, for all tokens: rotated in place, or on the way to the cache.
void CpuBackend::store_projected(const StoreCall& call, const LinearItem& item,
                                 const LinearOutput& output, float* room) const {
  const KvGroupShape& shape = call.kv.shape;
  const int dim = shape.k_dim;  // of every head here
  const int end = std::min(item.end * kernels_.tile_rows, output.weight->rows);
  for (int token = 0; token < call.batch.tokens(); ++token) {
    float* row = output.out + static_cast<std::ptrdiff_t>(token) * output.stride;
    for (int at = item.begin * kernels_.tile_rows; at < end; at += dim) {
      if (item.output == 0) {
        if (call.rotate_q != nullptr) rotate(*call.rotate_q, call.batch, token, row + at);
      } else if (item.output == 1) {
        store_key(call, token, at / dim, row + at, room);
      } else {
        store_head(call, token, at / dim, false, row + at, room);
      }
    }
  }
}

void CpuBackend::run_op(const RotateOp& op, const Step& step) {
  const BatchView& batch = step.batch;
  const int dim = op.x->columns / op.heads;
  QUIRE_CHECK(op.x->columns % op.heads == 0 && op.rope->begin >= 0 &&
                  op.rope->begin + op.rope->dims <= dim,
              "dimensions {} + {} of {} heads in {} columns", op.rope->begin, op.rope->dims,
              op.heads, op.x->columns);
  CpuBuffer& x = cpu(*op.x);
  for_rows(batch.tokens(), op.x->columns, [&](int token, int) {
    for (int head = 0; head < op.heads; ++head) {
      rotate(op, batch, token, x.floats(token) + head * dim);
    }
  });
  x.is_fresh = false;
}

void CpuBackend::run_op(const StoreOp& op, const Step& step) {
  const BatchView& batch = step.batch;
  const std::size_t group = step.group(op.cache.group);
  store_all({batch, batch.groups[group], step.kv.memory[group], op.cache.layer, nullptr, nullptr,
             &op});
}

}  // namespace quire
