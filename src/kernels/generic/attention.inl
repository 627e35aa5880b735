// Attention over one split of 256 absolute positions: tiles of 32 in order, online softmax from
// m = -infinity (Dao et al., "FlashAttention", 2022). K and V of a tile are widened to float32 once
// and read by all queries; a query's own arithmetic never depends on which others share the tile.
// Positions outside a query's range [low, high) take no part: not in scores, not in V, so that
// whatever stale memory holds there (NaN included) cannot be seen.

constexpr int kTileTokens = 32;
constexpr int kTilesPerSplit = 256 / kTileTokens;
constexpr int kTokenVectors = kTileTokens / kLanes;
constexpr int kDimVectors = 4;  // vectors of the head dimension per pass over V

struct Range {  // of a query within a tile: tokens [low, high)
  int low, high;
  bool operator==(const Range&) const = default;
};

inline Range visible(const AttentionTask& task, int query, int tile_position) {
  const int position = task.positions[query];
  const int high = position + 1 - tile_position;
  const int low = task.window > 0 ? position - task.window + 1 - tile_position : 0;
  return {low > 0 ? low : 0, high < kTileTokens ? high : kTileTokens};
}

// count values; the destination is float32.
inline void widen(DType dtype, const std::byte* from, int count, float* to) {
  if (dtype == DType::kF32) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
    return;
  }
  const auto* bits = reinterpret_cast<const std::uint16_t*>(from);
  const bool is_half = dtype == DType::kF16;
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store(to + i, is_half ? load_half(bits + i) : load_bf16(bits + i));
  }
  for (; i < count; ++i) to[i] = is_half ? half_to_float(bits[i]) : bf16_to_float(bits[i]);
}

// scores[q][token] = dot(query q, K column of the token), in order of the head dimension.
template <int kQueries>
inline void score_tile(const float* const* q, const float* k, int head_dim,
                       float (*scores)[kTileTokens]) {
  constexpr int kStep = kQueries * kTokenVectors <= 16 ? kTokenVectors : 16 / kQueries;
  for (int first = 0; first < kTokenVectors; first += kStep) {
    F sums[kQueries][kStep];
    for (auto& query : sums) {
      for (F& sum : query) sum = splat(0);
    }
    for (int d = 0; d < head_dim; ++d) {
      for (int v = 0; v < kStep; ++v) {
        const F keys = load(k + d * kTileTokens + (first + v) * kLanes);
        for (int i = 0; i < kQueries; ++i) sums[i][v] = fma(keys, splat(q[i][d]), sums[i][v]);
      }
    }
    for (int i = 0; i < kQueries; ++i) {
      for (int v = 0; v < kStep; ++v) store(&scores[i][(first + v) * kLanes], sums[i][v]);
    }
  }
}

// Turns scores into weights exp(score - m), updates m and the sum of weights of the state, and
// returns what the earlier output must be multiplied with.
inline float soften(float* scores, Range range, float* m, float* total) {
  const F low = splat(static_cast<float>(range.low)), high = splat(static_cast<float>(range.high));
  const F nothing = splat(-std::numeric_limits<float>::infinity());
  F peak = nothing;
  for (int v = 0; v < kTokenVectors; ++v) {
    const F token = lane_numbers() + splat(static_cast<float>(v * kLanes));
    F s = load(scores + v * kLanes);
    s = select_less(token, low, nothing, select_less(token, high, s, nothing));
    store(scores + v * kLanes, s);
    peak = max(peak, s);
  }
  const float tile_peak = max_lane(peak);
  const float m_new = tile_peak > *m ? tile_peak : *m;
  F sum = splat(0);
  for (int v = 0; v < kTokenVectors; ++v) {
    const F weight = exponential(load(scores + v * kLanes) - splat(m_new));
    store(scores + v * kLanes, weight);
    sum = sum + weight;
  }
  alignas(64) float rescale[kLanes];
  store(rescale, exponential(splat(*m - m_new)));
  *m = m_new;
  *total = *total * rescale[0] + sum_lanes(sum);
  return rescale[0];
}

// out = out * rescale + sum over tokens of weight * V, in order of the tokens of the range, for
// kVectors vectors of the head dimension.
template <int kQueries, int kVectors>
inline void add_values(const float (*weights)[kTileTokens], const float* rescale, const float* v,
                       int v_stride, Range range, float* const* out, int first) {
  F sums[kQueries][kVectors];
  for (int i = 0; i < kQueries; ++i) {
    for (int d = 0; d < kVectors; ++d) {
      sums[i][d] = load(out[i] + first + d * kLanes) * splat(rescale[i]);
    }
  }
  for (int token = range.low; token < range.high; ++token) {
    for (int d = 0; d < kVectors; ++d) {
      const F values = load(v + token * v_stride + first + d * kLanes);
      for (int i = 0; i < kQueries; ++i) {
        sums[i][d] = fma(values, splat(weights[i][token]), sums[i][d]);
      }
    }
  }
  for (int i = 0; i < kQueries; ++i) {
    for (int d = 0; d < kVectors; ++d) store(out[i] + first + d * kLanes, sums[i][d]);
  }
}

// One tile for kQueries queries that see the same range of it.
template <int kQueries>
void attend(const AttentionTask& task, int query, Range range, const float* k, const float* v,
            float (*scores)[kTileTokens]) {
  const int padded = attention_padded_dim(task.head_dim);
  const float* q[kQueries];
  float* out[kQueries];
  float rescale[kQueries];
  for (int i = 0; i < kQueries; ++i) {
    q[i] = task.q + static_cast<std::ptrdiff_t>(query + i) * task.head_dim;
    out[i] = task.states +
             static_cast<std::ptrdiff_t>(query + i) * attention_state_floats(task.head_dim);
  }
  score_tile<kQueries>(q, k, task.head_dim, scores);
  for (int i = 0; i < kQueries; ++i) {
    rescale[i] = soften(scores[i], range, out[i] + padded, out[i] + padded + 1);
  }
  int d = 0;
  for (; d + kDimVectors * kLanes <= padded; d += kDimVectors * kLanes) {
    add_values<kQueries, kDimVectors>(scores, rescale, v, padded, range, out, d);
  }
  for (; d < padded; d += kLanes) {
    add_values<kQueries, 1>(scores, rescale, v, padded, range, out, d);
  }
}

inline void attend_tile(const AttentionTask& task, int tile_position, const float* k,
                        const float* v, float (*scores)[kTileTokens]) {
  for (int query = 0; query < task.queries;) {
    const Range range = visible(task, query, tile_position);
    int count = 1;
    while (count < kQueriesMax && query + count < task.queries &&
           visible(task, query + count, tile_position) == range) {
      ++count;
    }
    if (range.low < range.high) {
      if (count == kQueriesMax) {
        attend<kQueriesMax>(task, query, range, k, v, scores);
      } else {
        for (int i = 0; i < count; ++i) attend<1>(task, query + i, range, k, v, scores);
      }
    }
    query += count;
  }
}

void attention_split(const AttentionTask& task) {
  const int padded = attention_padded_dim(task.head_dim);
  const int state_floats = attention_state_floats(task.head_dim);
  int position_max = 0, position_min = std::numeric_limits<int>::max();
  for (int query = 0; query < task.queries; ++query) {
    float* state = task.states + static_cast<std::ptrdiff_t>(query) * state_floats;
    for (int i = 0; i < state_floats; ++i) state[i] = 0;
    state[padded] = -std::numeric_limits<float>::infinity();
    const int position = task.positions[query];
    position_max = position > position_max ? position : position_max;
    position_min = position < position_min ? position : position_min;
  }
  float* k = task.scratch;
  float* v = k + kTileTokens * task.head_dim;
  auto* scores = reinterpret_cast<float(*)[kTileTokens]>(v + kTileTokens * padded);
  const std::size_t element = dtype_info(task.dtype).block_bytes;
  if (padded != task.head_dim) {
    std::memset(v, 0, static_cast<std::size_t>(kTileTokens * padded) * sizeof(float));
  }
  for (int tile = task.split * kTilesPerSplit; tile < (task.split + 1) * kTilesPerSplit; ++tile) {
    const int tile_position = tile * kTileTokens;
    if (tile_position > position_max) break;
    if (task.window > 0 && tile_position + kTileTokens <= position_min - task.window + 1) continue;
    const std::size_t offset = static_cast<std::size_t>(task.blocks[tile]) * task.block_stride;
    widen(task.dtype, task.k + offset, kTileTokens * task.head_dim, k);
    for (int token = 0; token < kTileTokens; ++token) {
      widen(task.dtype, task.v + offset + static_cast<std::size_t>(token * task.head_dim) * element,
            task.head_dim, v + token * padded);
    }
    attend_tile(task, tile_position, k, v, scores);
  }
}

void attention_fold(float* total, const float* next, int head_dim) {
  const int padded = attention_padded_dim(head_dim);
  if (next[padded + 1] == 0) return;  // the query sees nothing of this split
  if (total[padded + 1] == 0) {       // the first that it sees
    std::memcpy(total, next, static_cast<std::size_t>(attention_state_floats(head_dim)) * 4);
    return;
  }
  const float m = next[padded] > total[padded] ? next[padded] : total[padded];
  alignas(64) float factor[kLanes];
  store(factor, exponential(splat(total[padded] - m)));
  const float before = factor[0];
  store(factor, exponential(splat(next[padded] - m)));
  const float after = factor[0];
  for (int d = 0; d < padded; d += kLanes) {
    store(total + d, fma(load(next + d), splat(after), load(total + d) * splat(before)));
  }
  total[padded] = m;
  total[padded + 1] = total[padded + 1] * before + next[padded + 1] * after;
}

void attention_finish(const float* state, int head_dim, float* out) {
  const F total = splat(state[attention_padded_dim(head_dim) + 1]);
  int d = 0;
  for (; d + kLanes <= head_dim; d += kLanes) store(out + d, load(state + d) / total);
  if (d < head_dim) {
    store_partial(out + d, load_partial(state + d, head_dim - d) / total, head_dim - d);
  }
}
