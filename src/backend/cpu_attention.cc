// CpuBackend's attention: runs the items of an AttentionPlan. The last worker to finish a part of a
// token goes on with it: the splits of a head are folded in their order, whoever came last, and a
// token whose heads are complete becomes activations. So attention is one dispatch.
#include <algorithm>
#include <atomic>

#include "backend/cpu_backend.h"

namespace quire {

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
    const int dim = shape.head_dim;
    return static_cast<std::size_t>(2 * attention_state_floats(queries, dim) +
                                    attention_scratch_floats(queries, dim, dim) +
                                    queries * (dim + 1));
  }
  AttentionScratch(float* floats, const AttentionShape& shape) {
    const int queries = queries_max(shape);
    total = floats;
    next = total + attention_state_floats(queries, shape.head_dim);
    tile = next + attention_state_floats(queries, shape.head_dim);
    q = tile + attention_scratch_floats(queries, shape.head_dim, shape.head_dim);
    positions = reinterpret_cast<std::int32_t*>(q + queries * shape.head_dim);
  }
};

constexpr int kFusedTokensMax = 64;

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
  task.k_dim = task.v_dim = dim;
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
    kernels_.attention_finish(attention_state(scratch.total, queries, dim, i * group), nullptr,
                              group, dim, attended_head(call, tokens[i], item.kv_head));
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
  kernels_.attention_finish(total, nullptr, group, dim, attended_head(call, token, kv_head));
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

// Cuts the call into items and makes room for all that they write.
void CpuBackend::plan_attention(const AttentionCall& call) {
  const AttentionShape& shape = call.shape;
  const BatchView& batch = call.batch;
  QUIRE_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 &&
                  call.out.columns == shape.heads * shape.head_dim &&
                  batch.tokens() <= call.out.tokens_max,
              "attention of {}/{} heads of {} into {} columns", shape.heads, shape.kv_heads,
              shape.head_dim, call.out.columns);
  const auto tokens = static_cast<std::size_t>(batch.tokens());
  const std::size_t values = tokens * static_cast<std::size_t>(call.out.columns);
  if (attended_.count() < values) attended_ = AlignedBuffer<float>(values);
  plan_.make(shape, batch, threads());
  if (partials_.count() < plan_.state_floats) partials_ = AlignedBuffer<float>(plan_.state_floats);
  const auto counts = static_cast<std::size_t>(shape.kv_heads + 1);
  pending_.assign(tokens * counts, shape.kv_heads);
  for (std::size_t t = 0; t < tokens; ++t) {
    std::fill_n(pending_.begin() + static_cast<std::ptrdiff_t>(t * counts), shape.kv_heads,
                plan_.splits_of[t]);
  }
}

void CpuBackend::attention(const AttentionShape& shape, const BatchView& batch, const float* q,
                           int q_stride, const KvStore& kv, int layer, Activations& out) {
  const AttentionCall call{shape, batch, q, q_stride, static_cast<const CpuKvStore&>(kv),
                           layer, static_cast<CpuActivations&>(out)};
  plan_attention(call);
  const std::size_t room = AttentionScratch::floats(shape);
  grow_scratch(room);
  pool_.for_each(static_cast<int>(plan_.items.size()), [&](int i, int worker) {
    const AttentionItem& item = plan_.items[static_cast<std::size_t>(i)];
    run_attention(call, item, scratch(worker, room));
    finish_attention(call, item, scratch(worker, room));
  });
}

// --- products, rotation, storage and attention in one dispatch ---

// The heads of an item of q, k or v, for all tokens: rotated in place, or on the way to the cache.
void CpuBackend::store_projected(const RopeCall& call, const LinearItem& item,
                                 const LinearOutput& output, float* scratch) const {
  const int dim = call.shape.head_dim, tile_rows = kernels_.tile_rows;
  const int end = std::min(item.end * tile_rows, output.weight->rows);
  for (int token = 0; token < call.batch.tokens(); ++token) {
    float* row = output.out + static_cast<std::ptrdiff_t>(token) * output.stride;
    for (int at = item.begin * tile_rows; at < end; at += dim) {
      if (item.output == 0) {
        rotate(call, token, call.rope.q_norm, row + at);
      } else if (item.output == 1) {
        store_rotated(call, token, at / dim, row + at, scratch);
      } else {
        store_head(call, token, at / dim, false, row + at, scratch);
      }
    }
  }
}

void CpuBackend::attend_fused(const Activations& x, const std::array<LinearOutput, 3>& qkv,
                              const RopeCall& rope, const AttentionCall& attention) {
  const int tokens = rope.batch.tokens(), dim = rope.shape.head_dim;
  find_inputs(static_cast<const CpuActivations&>(x), tokens, qkv);
  plan_linear(tokens, qkv, dim / kernels_.tile_rows);
  plan_attention(attention);
  const std::size_t product_room = matmul_scratch_bytes(x.columns) / sizeof(float);
  const std::size_t room = std::max(product_room + static_cast<std::size_t>(2 * dim),
                                    AttentionScratch::floats(rope.shape));
  grow_scratch(room);
  pool_.for_each_then(
      static_cast<int>(linear_items_.size()),
      [&](int i, int worker) {
        const auto index = static_cast<std::size_t>(i);
        const LinearItem& item = linear_items_[index];
        float* floats = scratch(worker, room);
        run_linear(item, tokens, qkv, index + 1, floats);
        store_projected(rope, item, qkv[static_cast<std::size_t>(item.output)],
                        floats + product_room);
      },
      static_cast<int>(plan_.items.size()),
      [&](int i, int worker) {
        const AttentionItem& item = plan_.items[static_cast<std::size_t>(i)];
        run_attention(attention, item, scratch(worker, room));
        finish_attention(attention, item, scratch(worker, room));
      });
}

void CpuBackend::attend(const Activations& x, const std::array<LinearOutput, 3>& qkv,
                        const AttentionShape& shape, const RopeSpec& rope, const BatchView& batch,
                        KvStore& kv, int layer, Activations& out) {
  // A prompt has work enough to be worth three dispatches, each balanced by itself.
  if (batch.tokens() > kFusedTokensMax || shape.head_dim % kernels_.tile_rows != 0) {
    return Backend::attend(x, qkv, shape, rope, batch, kv, layer, out);
  }
  auto& store = static_cast<CpuKvStore&>(kv);
  QUIRE_CHECK(shape.head_dim == kv.shape.head_dim && shape.kv_heads == kv.shape.kv_heads &&
                  qkv[0].weight->rows == shape.heads * shape.head_dim &&
                  qkv[1].weight->rows == shape.kv_heads * shape.head_dim &&
                  qkv[2].weight->rows == qkv[1].weight->rows,
              "q, k and v of {}, {} and {} rows for {}/{} heads of {}", qkv[0].weight->rows,
              qkv[1].weight->rows, qkv[2].weight->rows, shape.heads, shape.kv_heads,
              shape.head_dim);
  attend_fused(x, qkv, {shape, rope, batch, store, layer},
               {shape, batch, qkv[0].out, qkv[0].stride, store, layer,
                static_cast<CpuActivations&>(out)});
}

}  // namespace quire
