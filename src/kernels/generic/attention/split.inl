// Attention over one split of 256 absolute positions: tiles of 32 in order, queries in blocks of up
// to eight that read a tile together. Tiles that a block does not see are skipped.
// Included once per instruction set, after the tiles of every KV type (see cpu/*.cc).

// How to score K's tiles of one type, and to add V's of one: by the number of queries, less one.
struct Scores {
  Score by[kQueryBlockMax];
};
struct Adds {
  Add by[kQueryBlockMax];
};
template <typename Element>
constexpr Scores kFloatScores = {{
    score_float_keys<Element, 1>, score_float_keys<Element, 2>, score_float_keys<Element, 3>,
    score_float_keys<Element, 4>, score_float_keys<Element, 5>, score_float_keys<Element, 6>,
    score_float_keys<Element, 7>, score_float_keys<Element, 8>}};
constexpr Scores kInt8Scores = {{score_int8_keys<1>, score_int8_keys<2>, score_int8_keys<3>,
                                 score_int8_keys<4>, score_int8_keys<5>, score_int8_keys<6>,
                                 score_int8_keys<7>, score_int8_keys<8>}};
constexpr Scores kInt4Scores = {{score_int4_keys<1>, score_int4_keys<2>, score_int4_keys<3>,
                                 score_int4_keys<4>, score_int4_keys<5>, score_int4_keys<6>,
                                 score_int4_keys<7>, score_int4_keys<8>}};
template <typename Element>
constexpr Adds kFloatAdds = {{
    add_float_values<Element, 1>, add_float_values<Element, 2>, add_float_values<Element, 3>,
    add_float_values<Element, 4>, add_float_values<Element, 5>, add_float_values<Element, 6>,
    add_float_values<Element, 7>, add_float_values<Element, 8>}};
constexpr Adds kInt8Adds = {{add_int8_values<1>, add_int8_values<2>, add_int8_values<3>,
                             add_int8_values<4>, add_int8_values<5>, add_int8_values<6>,
                             add_int8_values<7>, add_int8_values<8>}};
constexpr Adds kInt4Adds = {{add_int4_values<1>, add_int4_values<2>, add_int4_values<3>,
                             add_int4_values<4>, add_int4_values<5>, add_int4_values<6>,
                             add_int4_values<7>, add_int4_values<8>}};

// A tile of both, and how they are read.
struct Tile {
  Keys keys;
  Values values;
  const Scores* scores;
  const Adds* adds;
};

// One tile for kQueries queries from `query` on; some of them see some of it.
template <int kQueries>
void attend(const Tile& tile, const AttentionState& state, int tile_position, int query,
            const Range* ranges) {
  const AttentionTask& task = tile.keys.task;
  const int padded = attention_padded_dim(task.v_dim);
  alignas(64) float scores[kQueries][kTileTokens];
  alignas(64) float rescale[kQueries];
  tile.scores->by[kQueries - 1](tile.keys, query, scores);
  if (has_shaped_scores(task)) {
    for (int i = 0; i < kQueries; ++i) {
      shape_scores(task, query + i, ranges[i], tile_position, scores[i]);
    }
  }
  soften<kQueries>(scores, ranges, state.peaks + query, state.sums + query, rescale);
  tile.adds->by[kQueries - 1](tile.values, scores, rescale, ranges,
                              state.values + static_cast<std::ptrdiff_t>(query) * padded, padded);
}

void attend_all(const Tile& tile, const AttentionState& state, int tile_position) {
  using Attend = void (*)(const Tile&, const AttentionState&, int, int, const Range*);
  static constexpr Attend kAttend[kQueryBlockMax] = {attend<1>, attend<2>, attend<3>, attend<4>,
                                                     attend<5>, attend<6>, attend<7>, attend<8>};
  const AttentionTask& task = tile.keys.task;
  for (int query = 0; query < task.queries; query += kQueryBlockMax) {
    const int rest = task.queries - query;
    const int count = rest < kQueryBlockMax ? rest : kQueryBlockMax;
    Range ranges[kQueryBlockMax];
    bool is_seen = false;
    for (int i = 0; i < count; ++i) {
      ranges[i] = visible(task.positions[query + i], query_position(task, query + i), task.window,
                          tile_position);
      is_seen |= !ranges[i].is_empty();
    }
    if (is_seen) kAttend[count - 1](tile, state, tile_position, query, ranges);
  }
}

// Where a task's scratch has room for K and V as floats, behind the codes of its queries.
struct FloatRoom {
  float *k, *v;
  explicit FloatRoom(const AttentionTask& task)
      : k(task.scratch + attention_query_floats(task.queries, task.k_dim)),
        v(k + kTileTokens * attention_widened_dim(task.k_dim)) {}
};

// A pass over the tile costs less than its conversion by every block, from three blocks on.
inline bool is_read_often(const AttentionTask& task) { return task.queries > 2 * kQueryBlockMax; }

// V lies in scratch; nothing of it is to be fetched.
inline void set_room(Values& values, const float* room, int stride) {
  values.v = reinterpret_cast<const std::byte*>(room);
  values.stride = stride;
  values.next = {};
}

template <typename Element>
void set_float_keys(Tile& tile, float* room) {
  const AttentionTask& task = tile.keys.task;
  using Type = typename Element::Type;
  constexpr bool kIsWide = sizeof(Type) == sizeof(float);
  if (sizeof(Type) == 1) {
    tile.keys.scales = reinterpret_cast<const float*>(tile.keys.k + kTileTokens * task.k_dim);
  }
  tile.scores = &kFloatScores<Element>;
  if (kIsWide || !(is_read_often(task) || task.v == nullptr)) return;
  widen_keys<Element>(tile.keys, room);
  tile.keys.k = reinterpret_cast<const std::byte*>(room);
  tile.keys.next = {};
  tile.scores = &kFloatScores<FloatElement>;
}

template <typename Element>
void set_float_values(Tile& tile, float* room) {
  const AttentionTask& task = tile.keys.task;
  using Type = typename Element::Type;
  constexpr bool kIsWide = sizeof(Type) == sizeof(float);
  if (sizeof(Type) == 1) {
    tile.values.scales = reinterpret_cast<const float*>(tile.values.v + kTileTokens * task.v_dim);
  }
  tile.adds = &kFloatAdds<Element>;
  if (task.v_dim % kLanes == 0 && (kIsWide || !is_read_often(task))) return;
  const int padded = attention_padded_dim(task.v_dim);
  widen_values<Element>(tile.values, padded, room);
  set_room(tile.values, room, padded);
  tile.adds = &kFloatAdds<FloatElement>;
}

void set_keys(Tile& tile, float* room) {
  switch (tile.keys.task.k_dtype) {
    case DType::kF32: return set_float_keys<FloatElement>(tile, room);
    case DType::kF16: return set_float_keys<HalfElement>(tile, room);
    case DType::kBF16: return set_float_keys<Bf16Element>(tile, room);
    case DType::kF8: return set_float_keys<E4m3Element>(tile, room);
    case DType::kI8: tile.scores = &kInt8Scores; return;
    default: break;
  }
  tile.scores = &kInt4Scores;
  if (tile.keys.task.v != nullptr) return;
  widen_int4_keys(tile.keys, room);
  tile.keys.k = reinterpret_cast<const std::byte*>(room);
  tile.keys.next = {};
  tile.scores = &kFloatScores<FloatElement>;
}

void set_values(Tile& tile, float* room) {
  switch (tile.keys.task.v_dtype) {
    case DType::kF32: return set_float_values<FloatElement>(tile, room);
    case DType::kF16: return set_float_values<HalfElement>(tile, room);
    case DType::kBF16: return set_float_values<Bf16Element>(tile, room);
    case DType::kF8: return set_float_values<E4m3Element>(tile, room);
    case DType::kI8: tile.adds = &kInt8Adds; return;
    default: tile.adds = &kInt4Adds;
  }
}

// The first v_dim values of the keys as V: of int8 their codes, else floats.
void set_values_of_keys(Tile& tile, const std::byte* k, NextTile next, float* room) {
  const AttentionTask& task = tile.keys.task;
  const int padded = attention_padded_dim(task.v_dim);
  if (task.k_dtype == DType::kI8) {
    transpose_codes(reinterpret_cast<const std::uint8_t*>(k), attention_padded_dim(task.k_dim),
                    padded, next, reinterpret_cast<std::uint8_t*>(room));
    tile.adds = &kInt8Adds;
  } else {
    transpose_values(reinterpret_cast<const float*>(tile.keys.k), task.v_dim, padded, room);
    tile.adds = &kFloatAdds<FloatElement>;
  }
  tile.values.scales = tile.keys.scales;
  set_room(tile.values, room, padded);
}

void attend_tile(const AttentionTask& task, const QueryCodes& queries, const AttentionState& state,
                 std::size_t offset, int tile_position, NextTile next) {
  const FloatRoom room(task);
  const std::byte* k = task.k + offset;
  const std::byte* v = task.v == nullptr ? nullptr : task.v + offset;
  Tile tile{{task, queries, k, nullptr, next}, {task, v, task.v_dim, nullptr, next}, nullptr,
            nullptr};
  set_keys(tile, room.k);
  if (v == nullptr) {
    set_values_of_keys(tile, k, next, room.v);
    if (task.k_dtype == DType::kI8) tile.keys.next = {};  // all of it was fetched
  } else {
    set_values(tile, room.v);
  }
  attend_all(tile, state, tile_position);
}

// What the queries of a task see together.
struct Reach {
  int last_max = -1, last_min = std::numeric_limits<int>::max();
  int position_min = std::numeric_limits<int>::max();  // of the queries themselves

  explicit Reach(const AttentionTask& task) {
    for (int query = 0; query < task.queries; ++query) {
      const int last = task.positions[query], position = query_position(task, query);
      last_max = last > last_max ? last : last_max;
      last_min = last < last_min ? last : last_min;
      position_min = position < position_min ? position : position_min;
    }
  }
};

// Calls body(offset of the block, its position, where the next one is) for each tile that a query
// may see.
template <typename Body>
void visit_tiles(const AttentionTask& task, const Body& body) {
  const Reach reach(task);
  for (int tile = task.split * kTilesPerSplit; tile < (task.split + 1) * kTilesPerSplit; ++tile) {
    const int tile_position = tile * kTileTokens;
    if (tile_position > reach.last_max) break;
    const int tile_end = tile_position + kTileTokens;
    if (task.window > 0 && tile_end <= reach.position_min - task.window + 1) continue;
    const auto offset = [&](int t) {
      return static_cast<std::size_t>(task.blocks[t]) * task.block_stride;
    };
    NextTile next;
    if (tile_end <= reach.last_min && task.queries <= 2 * kQueryBlockMax) {
      next.bytes = static_cast<std::ptrdiff_t>(offset(tile + 1) - offset(tile));
    }
    body(offset(tile), tile_position, next);
  }
}

void attention_split(const AttentionTask& task) {
  const AttentionState state = attention_state(task.states, task.queries, task.v_dim);
  attention_clear(state, task.queries, task.v_dim);
  QueryCodes queries;
  if (task.k_dtype == DType::kI8) queries.make(task, attention_padded_dim(task.k_dim), 1);
  if (task.k_dtype == DType::kQ4_1 && task.v != nullptr) {
    const int groups = nibble_groups(task.k_dim);
    queries.make(task, groups * kNibbleGroup, groups);
  }
  visit_tiles(task, [&](std::size_t offset, int tile_position, NextTile next) {
    attend_tile(task, queries, state, offset, tile_position, next);
  });
}
