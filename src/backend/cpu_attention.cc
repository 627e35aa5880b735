// CpuBackend's attention: runs the items of an AttentionPlan. The last worker to finish a part of a
// token goes on with it: the splits of a head are folded in their order, whoever came last, and a
// token whose heads are complete becomes activations. So attention is one dispatch.
#include <algorithm>
#include <atomic>

#include "backend/cpu_backend.h"

namespace quire {

struct CpuBackend::AttentionCall {
  const AttentionShape& shape;
  const BatchView& batch;
  const float* q;
  int q_stride;
  const CpuKvStore& kv;
  int layer;
  CpuActivations& out;

  int group() const { return shape.heads / shape.kv_heads; }
  int position(int token) const { return batch.positions[static_cast<std::size_t>(token)]; }
};

namespace {

// Query heads that one item may hold, and the floats of scratch that it takes for them.
int queries_max(const AttentionShape& shape) {
  return std::max(kQueriesPerItem, shape.heads / shape.kv_heads);
}

struct AttentionScratch {
  float *total, *next, *tile, *q;
  std::int32_t* positions;

  static std::size_t floats(const AttentionShape& shape) {
    const int queries = queries_max(shape);
    return static_cast<std::size_t>(2 * attention_state_floats(queries, shape.head_dim) +
                                    attention_scratch_floats(queries, shape.head_dim) +
                                    queries * (shape.head_dim + 1));
  }
  AttentionScratch(float* floats, const AttentionShape& shape) {
    const int queries = queries_max(shape);
    total = floats;
    next = total + attention_state_floats(queries, shape.head_dim);
    tile = next + attention_state_floats(queries, shape.head_dim);
    q = tile + attention_scratch_floats(queries, shape.head_dim);
    positions = reinterpret_cast<std::int32_t*>(q + queries * shape.head_dim);
  }
};

// True for the last of those who share the count.
bool is_last(std::int32_t& count) {
  return std::atomic_ref(count).fetch_sub(1, std::memory_order_acq_rel) == 1;
}

}  // namespace

void CpuBackend::run_attention(const AttentionCall& call, const AttentionItem& item,
                               float* floats) {
  const AttentionShape& shape = call.shape;
  const int dim = shape.head_dim, group = call.group(), queries = item.count * group;
  const AttentionScratch scratch(floats, shape);
  const std::int32_t* tokens = plan_.tokens.data() + item.first_token;
  for (int i = 0; i < queries; ++i) {
    const int token = tokens[i / group], head = item.kv_head * group + i % group;
    const float* from = call.q + static_cast<std::ptrdiff_t>(token) * call.q_stride + head * dim;
    for (int d = 0; d < dim; ++d) scratch.q[i * dim + d] = from[d] * shape.scale;
    scratch.positions[i] = call.position(token);
  }
  AttentionTask task;
  task.q = scratch.q;
  task.positions = scratch.positions;
  task.queries = queries;
  task.head_dim = dim;
  task.window = shape.window;
  task.dtype = call.kv.shape.dtype;
  task.k = call.kv.k(call.layer, 0, item.kv_head);
  task.v = call.kv.v(call.layer, 0, item.kv_head);
  task.block_stride = call.kv.block_bytes;
  task.blocks =
      call.batch.block_table.data() + call.batch.table_begin[static_cast<std::size_t>(item.row)];
  task.scratch = scratch.tile;
  if (item.split >= 0) {
    task.split = item.split;
    task.states = partials_.data() + item.state;
    kernels_.attention_split(task);
    return;
  }
  const AttentionState total = attention_state(scratch.total, queries, dim);
  const AttentionState next = attention_state(scratch.next, queries, dim);
  kernels_.attention_clear(total, queries, dim);
  task.states = scratch.next;
  const int last = scratch.positions[queries - 1] / kSplitTokens;
  for (task.split = first_split(shape, scratch.positions[0]); task.split <= last; ++task.split) {
    kernels_.attention_split(task);
    kernels_.attention_fold(total, next, queries, dim);
  }
  for (int i = 0; i < item.count; ++i) {
    kernels_.attention_finish(attention_state(scratch.total, queries, dim, i * group), group, dim,
                              attended_head(call, tokens[i], item.kv_head));
  }
}

// Where the first query head of a KV head goes.
float* CpuBackend::attended_head(const AttentionCall& call, int token, int kv_head) {
  const std::ptrdiff_t head =
      static_cast<std::ptrdiff_t>(token) * call.shape.heads + kv_head * call.group();
  return attended_.data() + head * call.shape.head_dim;
}

void CpuBackend::fold_splits(const AttentionCall& call, int token, int kv_head, float* scratch) {
  const int dim = call.shape.head_dim, group = call.group();
  const AttentionState total = attention_state(scratch, group, dim);
  kernels_.attention_clear(total, group, dim);
  const auto t = static_cast<std::size_t>(token);
  for (int split = 0; split < plan_.splits_of[t]; ++split) {
    const AttentionPart& part = plan_.parts[static_cast<std::size_t>(
        plan_.part_of[t] + split * call.shape.kv_heads + kv_head)];
    kernels_.attention_fold(
        total, attention_state(partials_.data() + part.state, part.queries, dim, part.first), group,
        dim);
  }
  kernels_.attention_finish(total, group, dim, attended_head(call, token, kv_head));
}

// Counts the item off for each of its tokens, and completes what it was the last of.
void CpuBackend::finish_attention(const AttentionCall& call, const AttentionItem& item,
                                  float* scratch) {
  const int kv_heads = call.shape.kv_heads, columns = call.out.columns;
  for (int i = 0; i < item.count; ++i) {
    const int token = plan_.tokens[static_cast<std::size_t>(item.first_token + i)];
    std::int32_t* counts = pending_.data() + static_cast<std::ptrdiff_t>(token) * (kv_heads + 1);
    if (item.split >= 0) {
      if (!is_last(counts[item.kv_head])) continue;
      fold_splits(call, token, item.kv_head, scratch);
    }
    if (is_last(counts[kv_heads])) {
      call.out.put(kernels_, token, 0, columns, attended_head(call, token, 0));
    }
  }
}

void CpuBackend::attention(const AttentionShape& shape, const BatchView& batch, const float* q,
                           int q_stride, const KvStore& kv, int layer, Activations& out) {
  auto& to = static_cast<CpuActivations&>(out);
  QUIRE_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 &&
                  out.columns == shape.heads * shape.head_dim && batch.tokens() <= to.tokens_max,
              "attention of {}/{} heads of {} into {} columns", shape.heads, shape.kv_heads,
              shape.head_dim, out.columns);
  const AttentionCall call{shape, batch, q, q_stride, static_cast<const CpuKvStore&>(kv),
                           layer, to};
  const auto tokens = static_cast<std::size_t>(batch.tokens());
  const std::size_t values = tokens * static_cast<std::size_t>(out.columns);
  if (attended_.count() < values) attended_ = AlignedBuffer<float>(values);
  plan_.make(shape, batch, threads());
  if (partials_.count() < plan_.state_floats) partials_ = AlignedBuffer<float>(plan_.state_floats);
  const auto counts = static_cast<std::size_t>(shape.kv_heads + 1);
  pending_.assign(tokens * counts, shape.kv_heads);
  for (std::size_t t = 0; t < tokens; ++t) {
    std::fill_n(pending_.begin() + static_cast<std::ptrdiff_t>(t * counts), shape.kv_heads,
                plan_.splits_of[t]);
  }
  const std::size_t room = AttentionScratch::floats(shape);
  grow_scratch(room);
  pool_.for_each(static_cast<int>(plan_.items.size()), [&](int i, int worker) {
    const AttentionItem& item = plan_.items[static_cast<std::size_t>(i)];
    run_attention(call, item, scratch(worker, room));
    finish_attention(call, item, scratch(worker, room));
  });
}

}  // namespace quire
