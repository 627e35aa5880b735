// CpuBackend's attention and the writing of KV. Work is cut into (token group, KV head) items;
// where that leaves workers idle (one long sequence, few heads) an item is one split of 256
// positions, and the splits are folded in order afterwards: the same fold, hence the same bits.
#include <algorithm>
#include <cstring>
#include <limits>

#include "backend/cpu_backend.h"

namespace quire {
namespace {

constexpr int kQueriesPerItem = 64;  // query heads times tokens that pass over a K/V tile together
constexpr std::size_t kNoPartial = static_cast<std::size_t>(-1);

int first_split(const AttentionShape& shape, int position) {
  return shape.window > 0 ? std::max(0, position - shape.window + 1) / kSplitTokens : 0;
}

}  // namespace

struct CpuBackend::AttentionCall {
  const AttentionShape& shape;
  const BatchView& batch;
  const float* q;
  int q_stride;
  const CpuKvStore& kv;
  int layer;

  int group() const { return shape.heads / shape.kv_heads; }
  int state_floats() const { return attention_state_floats(shape.head_dim); }
  int position(int token) const { return batch.positions[static_cast<std::size_t>(token)]; }
};

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

void CpuBackend::plan_attention(const AttentionShape& shape, const BatchView& batch) {
  const int group = shape.heads / shape.kv_heads;
  const int tokens_per_item = std::max(1, kQueriesPerItem / group);
  const std::size_t query_floats = static_cast<std::size_t>(attention_state_floats(shape.head_dim));
  attention_items_.clear();
  partial_of_token_.assign(static_cast<std::size_t>(batch.tokens()), kNoPartial);
  std::size_t partial_floats = 0;
  // Rows of one token with a long past may be cut by splits if the others leave too little to do.
  const bool is_scarce = batch.rows() * shape.kv_heads < 4 * threads();
  for (int row = 0; row < batch.rows(); ++row) {
    const auto r = static_cast<std::size_t>(row);
    const int begin = batch.row_begin[r], end = batch.row_begin[r + 1];
    const int position = end > begin ? batch.positions[static_cast<std::size_t>(end - 1)] : 0;
    const int split_begin = first_split(shape, position);
    const int split_end = position / kSplitTokens + 1;
    if (end - begin == 1 && is_scarce && split_end - split_begin > 1) {
      partial_of_token_[static_cast<std::size_t>(begin)] = partial_floats;
      for (int split = split_begin; split < split_end; ++split) {
        for (int head = 0; head < shape.kv_heads; ++head) {
          attention_items_.push_back({row, begin, 1, head, split, partial_floats});
          partial_floats += query_floats * static_cast<std::size_t>(group);
        }
      }
      continue;
    }
    // The end of a prompt is dearest: it goes first, so that the workers finish together.
    for (int token = end; token > begin; token -= tokens_per_item) {
      const int first = std::max(begin, token - tokens_per_item);
      for (int head = 0; head < shape.kv_heads; ++head) {
        attention_items_.push_back({row, first, token - first, head, -1, kNoPartial});
      }
    }
  }
  if (partials_.size() < partial_floats) partials_.resize(partial_floats);
}

void CpuBackend::run_attention(const AttentionCall& call, const AttentionItem& item,
                               float* scratch) {
  const int dim = call.shape.head_dim, group = call.group(), queries = item.count * group;
  const std::ptrdiff_t state_floats = call.state_floats();
  float* total = scratch;
  float* next = total + queries * state_floats;
  float* rest = next + queries * state_floats;
  float* q = rest + (attention_scratch_floats(dim) + 15) / 16 * 16;
  auto* positions = reinterpret_cast<std::int32_t*>(q + queries * dim);
  for (int i = 0; i < queries; ++i) {
    const int token = item.begin + i / group, head = item.kv_head * group + i % group;
    const float* from = call.q + static_cast<std::ptrdiff_t>(token) * call.q_stride + head * dim;
    for (int d = 0; d < dim; ++d) q[i * dim + d] = from[d] * call.shape.scale;
    positions[i] = call.position(token);
  }
  AttentionTask task;
  task.q = q;
  task.positions = positions;
  task.queries = queries;
  task.head_dim = dim;
  task.window = call.shape.window;
  task.dtype = call.kv.shape.dtype;
  task.k = call.kv.k(call.layer, 0, item.kv_head);
  task.v = call.kv.v(call.layer, 0, item.kv_head);
  task.block_stride = call.kv.block_bytes;
  task.blocks =
      call.batch.block_table.data() + call.batch.table_begin[static_cast<std::size_t>(item.row)];
  task.scratch = rest;
  if (item.split >= 0) {
    task.split = item.split;
    task.states = partials_.data() + item.partial;
    kernels_.attention_split(task);
    return;
  }
  const auto clear = [&](float* state) {
    std::fill(state, state + state_floats, 0.0f);
    state[attention_padded_dim(dim)] = -std::numeric_limits<float>::infinity();
  };
  for (int i = 0; i < queries; ++i) clear(total + i * state_floats);
  task.states = next;
  const int last = positions[queries - 1] / kSplitTokens;
  for (task.split = first_split(call.shape, positions[0]); task.split <= last; ++task.split) {
    kernels_.attention_split(task);
    for (int i = 0; i < queries; ++i) {
      kernels_.attention_fold(total + i * state_floats, next + i * state_floats, dim);
    }
  }
  for (int i = 0; i < queries; ++i) {
    const int token = item.begin + i / group, head = item.kv_head * group + i % group;
    kernels_.attention_finish(
        total + i * state_floats, dim,
        attended_.data() + (static_cast<std::ptrdiff_t>(token) * call.shape.heads + head) * dim);
  }
}

void CpuBackend::finish_attention(const AttentionCall& call, int token, CpuActivations& out) {
  const int dim = call.shape.head_dim, heads = call.shape.heads;
  float* row = attended_.data() + static_cast<std::ptrdiff_t>(token) * heads * dim;
  const std::size_t partial = partial_of_token_[static_cast<std::size_t>(token)];
  if (partial != kNoPartial) {
    const int position = call.position(token);
    const int splits = position / kSplitTokens + 1 - first_split(call.shape, position);
    const std::ptrdiff_t state_floats = call.state_floats();
    for (int head = 0; head < heads; ++head) {
      // [splits, kv_heads, group, state]; the first split's state becomes the total
      float* first = partials_.data() + partial + head * state_floats;
      for (int split = 1; split < splits; ++split) {
        kernels_.attention_fold(first, first + split * heads * state_floats, dim);
      }
      kernels_.attention_finish(first, dim, row + head * dim);
    }
  }
  out.put(kernels_, token, 0, heads * dim, row);
}

void CpuBackend::attention(const AttentionShape& shape, const BatchView& batch, const float* q,
                           int q_stride, const KvStore& kv, int layer, Activations& out) {
  auto& to = static_cast<CpuActivations&>(out);
  QUIRE_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 &&
                  out.columns == shape.heads * shape.head_dim && batch.tokens() <= to.tokens_max,
              "attention of {}/{} heads of {} into {} columns", shape.heads, shape.kv_heads,
              shape.head_dim, out.columns);
  const AttentionCall call{shape, batch, q, q_stride, static_cast<const CpuKvStore&>(kv), layer};
  const auto values =
      static_cast<std::size_t>(batch.tokens()) * static_cast<std::size_t>(out.columns);
  if (attended_.count() < values) attended_ = AlignedBuffer<float>(values);
  plan_attention(shape, batch);
  const auto queries = static_cast<std::size_t>(std::max(kQueriesPerItem, call.group()));
  const std::size_t room =
      queries * static_cast<std::size_t>(2 * call.state_floats() + shape.head_dim + 1) +
      static_cast<std::size_t>(attention_scratch_floats(shape.head_dim) + 16);
  grow_scratch(room);
  pool_.for_each(static_cast<int>(attention_items_.size()), [&](int i, int worker) {
    run_attention(call, attention_items_[static_cast<std::size_t>(i)], scratch(worker, room));
  });
  if (batch.tokens() <= 2) {
    for (int token = 0; token < batch.tokens(); ++token) finish_attention(call, token, to);
  } else {
    pool_.for_each(batch.tokens(), [&](int token, int) { finish_attention(call, token, to); });
  }
}

}  // namespace quire
