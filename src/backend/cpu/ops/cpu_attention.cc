// CpuBackend's attention: runs the items of an AttentionPlan. The last worker to finish a part of a
// token goes on with it: the splits of a head are folded in their order, whoever came last, and a
// token whose heads are complete becomes activations. So attention is one dispatch.
#include <algorithm>
#include <atomic>

#include "backend/cpu/cpu_backend.h"

namespace quire {
namespace {

// Query heads that one item may hold, and the floats of scratch that it takes for them.
int queries_max(const Attend& shape) {
  return std::max(kQueriesPerItem, shape.heads / shape.kv_heads);
}

}  // namespace

struct AttentionScratch {
  float *total, *next, *tile, *q;
  std::int32_t *lasts, *positions;
  float* slopes;
  const float** biases;

  // In floats; the pointers of a query take two.
  static std::size_t floats(const Attend& shape) {
    const int queries = queries_max(shape);
    return static_cast<std::size_t>(
        2 * attention_state_floats(queries, shape.v_dim) +
        attention_scratch_floats(queries, shape.k_dim, shape.v_dim) +
        (queries * shape.k_dim + 15) / 16 * 16 + queries * 5 + 1);
  }
  AttentionScratch(float* floats, const Attend& shape) {
    const int queries = queries_max(shape);
    total = floats;
    next = total + attention_state_floats(queries, shape.v_dim);
    tile = next + attention_state_floats(queries, shape.v_dim);
    q = tile + attention_scratch_floats(queries, shape.k_dim, shape.v_dim);
    float* rest = q + (queries * shape.k_dim + 15) / 16 * 16;  // 64-byte aligned
    biases = reinterpret_cast<const float**>(rest);
    slopes = rest + 2 * queries;
    lasts = reinterpret_cast<std::int32_t*>(slopes + queries);
    positions = lasts + queries;
  }
};

namespace {

// True for the last of those who share the count.
bool is_last(std::int32_t& count) {
  return std::atomic_ref(count).fetch_sub(1, std::memory_order_acq_rel) == 1;
}

}  // namespace

// The queries of an item, scaled, with what shapes the score of each.
AttentionTask CpuBackend::attention_task(const AttentionCall& call, const AttentionItem& item,
                                         const AttentionScratch& scratch) const {
  const Attend& shape = call.shape;
  const int dim = shape.k_dim, group = call.group(), queries = item.count * group;
  const int own = call.q.columns / shape.heads;  // of q itself
  const std::int32_t* tokens = plan_.tokens.data() + item.first_token;
  const bool is_shaped = shape.slopes || shape.bias || !shape.is_causal;
  const std::int32_t* row_begin = &call.batch.row_begin[static_cast<std::size_t>(item.row)];
  const std::ptrdiff_t in_row = row_begin[1] - row_begin[0];
  for (int i = 0; i < queries; ++i) {
    const int token = tokens[i / group], head = item.kv_head * group + i % group;
    const float* from = call.q.floats(token) + head * own;
    for (int d = 0; d < own; ++d) scratch.q[i * dim + d] = from[d] * shape.scale;
    if (own < dim) {
      const int part = call.q_rest->columns / shape.heads;
      from = call.q_rest->floats(token) + (head + 1) * part - dim;
      for (int d = own; d < dim; ++d) scratch.q[i * dim + d] = from[d] * shape.scale;
    }
    scratch.lasts[i] = plan_.lasts[static_cast<std::size_t>(token)];
    if (!is_shaped) continue;
    scratch.positions[i] = call.position(token);
    if (shape.slopes) scratch.slopes[i] = shape.slopes.values.get()[head];
    if (shape.bias) {
      scratch.biases[i] = shape.bias.values.get() + shape.bias_reach +
                          std::ptrdiff_t{head} * (2 * shape.bias_reach + 1);
    }
    if (call.has_pairs) {
      scratch.biases[i] = pairs_.data() + pairs_begin_[static_cast<std::size_t>(token)] +
                          head * in_row + scratch.positions[i];
    }
  }
  AttentionTask task;
  task.q = scratch.q;
  task.positions = scratch.lasts;
  task.query_positions = is_shaped ? scratch.positions : nullptr;
  task.slopes = shape.slopes ? scratch.slopes : nullptr;
  task.biases = shape.bias || call.has_pairs ? scratch.biases : nullptr;
  task.queries = queries;
  task.k_dim = dim;
  task.v_dim = shape.v_dim;
  task.window = shape.window;
  if (begins_own_chunk(shape, scratch.lasts[0])) {
    task.window = scratch.lasts[0] % shape.window + 1;
  }
  task.softcap = shape.softcap;
  task.k_dtype = call.kv.shape.types.k;
  task.v_dtype = call.kv.shape.types.v;
  task.k = call.kv.k(call.layer, 0, item.kv_head);
  task.v = call.kv.shape.v_dim == 0 ? nullptr : call.kv.v(call.layer, 0, item.kv_head);
  task.block_stride = call.kv.block_bytes;
  task.blocks =
      call.view.table.data() + call.view.table_begin[static_cast<std::size_t>(item.row)];
  task.scratch = scratch.tile;
  return task;
}

// Turns scaled queries of one KV head of a token back by so many positions.  [group, k_dim]
void CpuBackend::turn_back(const AttentionCall& call, int distance, float* queries) const {
  const Rope& rope = *call.turn;
  const auto half = static_cast<std::size_t>(rope.dims / 2);
  float room[kCachedHeadMax], cosines[kCachedHeadMax / 2], sines[kCachedHeadMax / 2];
  const Angles angles = far_angles_.of(rope, distance, room);
  for (std::size_t i = 0; i < half; ++i) {
    cosines[i] = angles.cosines[i] / rope.magnitude;
    sines[i] = -angles.sines[i] / rope.magnitude;
  }
  for (int i = 0; i < call.group(); ++i) {
    kernels_.rope(queries + i * call.shape.k_dim + call.turn_begin, cosines, sines, rope.dims,
                  rope.pairing == RopePairing::kAdjacent);
  }
}

// Sinks that lie behind the windows of an item's tokens (Xiao et al., "Efficient Streaming Language
// Models with Attention Sinks", 2024): the text seems to be sinks and window without a gap, so that
// a query meets them from the position behind both, however far it is. Their states are scratch's
// next ones; false: no token sees any. They are folded before all splits.
bool CpuBackend::attend_sinks(const AttentionCall& call, const AttentionItem& item,
                              const AttentionScratch& scratch) const {
  const int sinks = call.kv.shape.sinks, window = call.shape.window, group = call.group();
  if (sinks == 0) return false;
  AttentionTask task = attention_task(call, item, scratch);
  bool is_any = false;
  for (int i = 0; i < item.count; ++i) {
    const auto index = static_cast<std::size_t>(item.first_token + i);
    const int position = call.position(plan_.tokens[index]);
    const int seen = std::clamp(position - window + 1, 0, sinks);
    const int near = std::min(position, sinks + window - 1);
    std::fill_n(scratch.lasts + i * group, group, seen - 1);
    std::fill_n(scratch.positions + i * group, group, near);
    is_any |= seen > 0;
    if (call.turn != nullptr && seen > 0 && near < position) {
      turn_back(call, position - near, scratch.q + i * group * task.k_dim);
    }
  }
  if (!is_any) return false;
  task.query_positions = scratch.positions;
  task.window = 0;
  task.split = 0;
  task.states = scratch.next;
  kernels_.attention_split(task);
  return true;
}

void CpuBackend::run_attention(const AttentionCall& call, const AttentionItem& item,
                               float* floats) {
  const Attend& shape = call.shape;
  const AttentionScratch scratch(floats, shape);
  if (item.split >= 0) {
    AttentionTask task = attention_task(call, item, scratch);
    task.split = item.split;
    task.states = partials_.data() + item.state;
    kernels_.attention_split(task);
    return;
  }
  const int group = call.group(), queries = item.count * group, dim = shape.v_dim;
  const AttentionState total = attention_state(scratch.total, queries, dim);
  const AttentionState next = attention_state(scratch.next, queries, dim);
  kernels_.attention_clear(total, queries, dim);
  if (attend_sinks(call, item, scratch)) kernels_.attention_fold(total, next, queries, dim);
  AttentionTask task = attention_task(call, item, scratch);
  task.states = scratch.next;
  const int last = scratch.lasts[queries - 1] / kSplitTokens;
  const int begin = call.position(plan_.tokens[static_cast<std::size_t>(item.first_token)]);
  for (task.split = first_split(shape, begin); task.split <= last; ++task.split) {
    kernels_.attention_split(task);
    kernels_.attention_fold(total, next, queries, dim);
  }
  const std::int32_t* tokens = plan_.tokens.data() + item.first_token;
  for (int i = 0; i < item.count; ++i) {
    kernels_.attention_finish(attention_state(scratch.total, queries, dim, i * group),
                              sinks_of(call, item.kv_head), group, dim,
                              attended_head(call, tokens[i], item.kv_head));
  }
}

// Of the query heads of a KV head; null: none.
const float* CpuBackend::sinks_of(const AttentionCall& call, int kv_head) {
  return call.shape.sinks ? call.shape.sinks.values.get() + kv_head * call.group() : nullptr;
}

// Where the first query head of a KV head goes.
float* CpuBackend::attended_head(const AttentionCall& call, int token, int kv_head) {
  const std::ptrdiff_t head =
      static_cast<std::ptrdiff_t>(token) * call.shape.heads + kv_head * call.group();
  return attended_.data() + head * call.shape.v_dim;
}

// index: of the token among the plan's.
void CpuBackend::fold_splits(const AttentionCall& call, int index, int kv_head, float* floats) {
  const int dim = call.shape.v_dim, group = call.group();
  const int token = plan_.tokens[static_cast<std::size_t>(index)];
  const AttentionScratch scratch(floats, call.shape);
  const AttentionState total = attention_state(scratch.total, group, dim);
  kernels_.attention_clear(total, group, dim);
  if (call.kv.shape.sinks > 0) {
    const auto& begins = call.batch.row_begin;
    const auto row = std::upper_bound(begins.begin(), begins.end(), token) - begins.begin() - 1;
    if (attend_sinks(call, {index, 1, static_cast<int>(row), kv_head, -1, 0}, scratch)) {
      kernels_.attention_fold(total, attention_state(scratch.next, group, dim), group, dim);
    }
  }
  const auto t = static_cast<std::size_t>(token);
  for (int split = 0; split < plan_.splits_of[t]; ++split) {
    const AttentionPart& part = plan_.parts[static_cast<std::size_t>(
        plan_.part_of[t] + split * call.shape.kv_heads + kv_head)];
    kernels_.attention_fold(
        total, attention_state(partials_.data() + part.state, part.queries, dim, part.first), group,
        dim);
  }
  kernels_.attention_finish(total, sinks_of(call, kv_head), group, dim,
                            attended_head(call, token, kv_head));
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
      fold_splits(call, item.first_token + i, item.kv_head, scratch);
    }
    if (is_last(counts[kv_heads])) {
      call.out.put(kernels_, token, 0, columns, attended_head(call, token, 0));
    }
  }
}

// Cuts the call into items and makes room for all that they write.
void CpuBackend::plan_attention(const AttentionCall& call) {
  const Attend& shape = call.shape;
  const BatchView& batch = call.batch;
  const KvGroupShape& kv = call.kv.shape;
  const int rest = call.q_rest == nullptr ? 0 : shape.k_dim - call.q.columns / shape.heads;
  QUIRE_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 &&
                  call.out.columns == shape.heads * shape.v_dim &&
                  call.q.columns + shape.heads * rest == shape.heads * shape.k_dim &&
                  rest >= 0 && (rest == 0 || call.q_rest->columns >= shape.heads * rest) &&
                  batch.tokens() <= call.out.rows_max,
              "attention of {}/{} heads of {} from {} into {} columns", shape.heads,
              shape.kv_heads, shape.v_dim, call.q.columns, call.out.columns);
  QUIRE_CHECK(kv.kv_heads == shape.kv_heads && kv.k_dim == shape.k_dim &&
                  (kv.v_dim == shape.v_dim || (kv.v_dim == 0 && shape.v_dim <= kv.k_dim)),
              "KV of {} x {} and {} for heads of {} x {} and {}", kv.kv_heads, kv.k_dim, kv.v_dim,
              shape.kv_heads, shape.k_dim, shape.v_dim);
  QUIRE_CHECK(call.layer >= 0 && call.layer < kv.layers, "layer {} of a group of {}", call.layer,
              kv.layers);
  const auto tokens = static_cast<std::size_t>(batch.tokens());
  const std::size_t values = tokens * static_cast<std::size_t>(call.out.columns);
  if (attended_.count() < values) attended_ = AlignedBuffer<float>(values);
  plan_.make(shape, batch, call.view, threads());
  if (partials_.count() < plan_.state_floats) partials_ = AlignedBuffer<float>(plan_.state_floats);
  const auto counts = static_cast<std::size_t>(shape.kv_heads + 1);
  pending_.assign(tokens * counts, shape.kv_heads);
  for (std::size_t t = 0; t < tokens; ++t) {
    std::fill_n(pending_.begin() + static_cast<std::ptrdiff_t>(t * counts), shape.kv_heads,
                plan_.splits_of[t]);
  }
  call.out.is_fresh = true;
}

void CpuBackend::attention(const AttentionCall& call) {
  plan_attention(call);
  const std::size_t room = AttentionScratch::floats(call.shape);
  grow_scratch(room);
  pool_.for_each(static_cast<int>(plan_.items.size()), [&](int i, int worker) {
    const AttentionItem& item = plan_.items[static_cast<std::size_t>(i)];
    run_attention(call, item, scratch(worker, room));
    finish_attention(call, item, scratch(worker, room));
  });
}

// --- products, rotation, storage and attention in one dispatch ---

void CpuBackend::attend_fused(std::span<const LinearOutput> qkv, const StoreCall& store,
                              const AttentionCall& attention) {
  const int dim = attention.shape.k_dim;
  plan_linear(qkv, dim / kernels_.tile_rows);
  plan_attention(attention);
  const std::size_t product_room =
      matmul_scratch_bytes(qkv[0].weight->columns) / sizeof(float);
  const auto store_room = static_cast<std::size_t>(2 * dim + kKvGroupValues);
  const std::size_t room =
      std::max(product_room + store_room, AttentionScratch::floats(attention.shape));
  grow_scratch(room);
  pool_.for_each_then(
      static_cast<int>(linear_items_.size()),
      [&](int i, int worker) {
        const auto index = static_cast<std::size_t>(i);
        const LinearItem& item = linear_items_[index];
        float* floats = scratch(worker, room);
        run_linear(index, qkv, floats);
        store_projected(store, item, qkv[static_cast<std::size_t>(item.output)],
                        floats + product_room);
      },
      static_cast<int>(plan_.items.size()),
      [&](int i, int worker) {
        const AttentionItem& item = plan_.items[static_cast<std::size_t>(i)];
        run_attention(attention, item, scratch(worker, room));
        finish_attention(attention, item, scratch(worker, room));
      });
}

// What turned the queries of this op, if the group has sinks: the last rotation of them since the
// attention before it.
void CpuBackend::find_turn(const AttendOp& op, const Step& step, AttentionCall& call) const {
  if (call.kv.shape.sinks == 0) return;
  for (const Op& any : step.ops) {
    const auto* attend = std::get_if<AttendOp>(&any);
    if (attend == &op) return;
    if (attend != nullptr) call.turn = nullptr;
    const auto* rotate = std::get_if<RotateOp>(&any);
    if (rotate == nullptr || !rotate->rope->cosines) continue;
    if (rotate->x != op.q && rotate->x != op.q_rest) continue;
    call.turn = rotate->rope;
    // What ends each part of q_rest ends the head.
    const int skipped = rotate->x == op.q
                            ? 0 : op.attend->k_dim - op.q_rest->columns / op.attend->heads;
    call.turn_begin = rotate->rope->begin + skipped;
  }
}

// What each pair of tokens of a text adds to its score: the places of their distance in what one
// says to the other's. A row is a whole text, from position 0 on.
void CpuBackend::pair_tokens(const AttendOp& op, const Step& step) {
  const BatchView& batch = step.batch;
  const Attend& shape = *op.attend;
  const std::vector<std::int32_t>& places = *shape.places;
  const Buffer& any = op.key_places != nullptr ? *op.key_places : *op.query_places;
  const int heads = shape.heads, width = any.columns / heads;
  const int reach = static_cast<int>(places.size() / 2);
  QUIRE_CHECK(!shape.is_causal && !shape.bias && any.columns == heads * width,
              "places of {} columns for {} heads", any.columns, heads);
  pairs_begin_.resize(static_cast<std::size_t>(batch.tokens()));
  std::size_t floats = 0;
  std::vector<std::int32_t> row_of(pairs_begin_.size());
  for (int row = 0; row < batch.rows(); ++row) {
    const auto r = static_cast<std::size_t>(row);
    const int begin = batch.row_begin[r], end = batch.row_begin[r + 1];
    QUIRE_CHECK(begin == end || (batch.positions[static_cast<std::size_t>(begin)] == 0 &&
                                 end - begin <= reach),
                "a text of {} tokens from position {}, places reach {}", end - begin,
                batch.positions[static_cast<std::size_t>(begin)], reach);
    for (int token = begin; token < end; ++token) {
      pairs_begin_[static_cast<std::size_t>(token)] = floats;
      row_of[static_cast<std::size_t>(token)] = row;
      floats += static_cast<std::size_t>(heads) * static_cast<std::size_t>(end - begin);
    }
  }
  if (pairs_.count() < floats) pairs_ = AlignedBuffer<float>(floats);
  pool_.for_each(batch.tokens(), [&](int token, int) {
    const auto row = static_cast<std::size_t>(row_of[static_cast<std::size_t>(token)]);
    const int begin = batch.row_begin[row], count = batch.row_begin[row + 1] - begin;
    float* out = pairs_.data() + pairs_begin_[static_cast<std::size_t>(token)];
    for (int head = 0; head < heads; ++head, out += count) {
      const float* of_query =
          op.key_places == nullptr ? nullptr : cpu(*op.key_places).floats(token) + head * width;
      for (int j = 0; j < count; ++j) {
        const int place = places[static_cast<std::size_t>(reach + token - begin - j)];
        float sum = of_query == nullptr ? 0 : of_query[place];
        if (op.query_places != nullptr) {
          sum += cpu(*op.query_places).floats(begin + j)[head * width + place];
        }
        out[j] = sum * shape.scale;
      }
    }
  });
}

void CpuBackend::run_op(const AttendOp& op, const Step& step) {
  const BatchView& batch = step.batch;
  const std::size_t group = step.group(op.attend->cache.group);
  const CpuKvGroup& memory = step.kv.memory[group];
  const Attend shape = shape_of(*op.attend, memory.shape);
  AttentionCall call{shape, batch, batch.groups[group], cpu(*op.q), memory, shape.cache.layer,
                     cpu(*op.out), op.q_rest == nullptr ? nullptr : &cpu(*op.q_rest)};
  find_turn(op, step, call);
  call.has_pairs = op.attend->places != nullptr;
  if (call.has_pairs) pair_tokens(op, step);
  attention(call);
}

}  // namespace quire
