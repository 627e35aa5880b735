// Attention over one split of 256 absolute positions: tiles of 32 in order, queries in blocks of up
// to eight that read a tile together. Tiles that a block does not see are skipped.
// Included once per instruction set, after the tiles of every KV type (see cpu/*.cc).

// One tile for kQueries queries from `query` on; some of them see some of it.
template <typename Tile, int kQueries>
void attend(const Tile& tile, const AttentionState& state, int tile_position, int query,
            const Range* ranges) {
  const int padded = attention_padded_dim(tile.task.v_dim);
  alignas(64) float scores[kQueries][kTileTokens];
  alignas(64) float rescale[kQueries];
  tile.template score<kQueries>(query, scores);
  if (has_shaped_scores(tile.task)) {
    for (int i = 0; i < kQueries; ++i) {
      shape_scores(tile.task, query + i, ranges[i], tile_position, scores[i]);
    }
  }
  soften<kQueries>(scores, ranges, state.peaks + query, state.sums + query, rescale);
  tile.template add<kQueries>(scores, rescale, ranges,
                              state.values + static_cast<std::ptrdiff_t>(query) * padded, padded);
}

template <typename Tile>
void attend_all(const Tile& tile, const AttentionState& state, int tile_position) {
  using Attend = void (*)(const Tile&, const AttentionState&, int, int, const Range*);
  static constexpr Attend kAttend[kQueryBlockMax] = {
      attend<Tile, 1>, attend<Tile, 2>, attend<Tile, 3>, attend<Tile, 4>,
      attend<Tile, 5>, attend<Tile, 6>, attend<Tile, 7>, attend<Tile, 8>};
  const AttentionTask& task = tile.task;
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

template <typename Element>
void attend_floats(const AttentionTask& task, const AttentionState& state, std::size_t offset,
                   int tile_position, NextTile next) {
  using Type = typename Element::Type;
  const auto* v = task.v == nullptr ? nullptr : reinterpret_cast<const Type*>(task.v + offset);
  const FloatTile<Element> tile{task, reinterpret_cast<const Type*>(task.k + offset), v, task.v_dim,
                                next};
  constexpr bool kIsWide = sizeof(Type) == sizeof(float);
  const bool is_whole = v != nullptr && task.v_dim % kLanes == 0;
  // A pass over the tile costs less than its conversion by every block, from three blocks on.
  if (is_whole && (kIsWide || task.queries <= 2 * kQueryBlockMax)) {
    attend_all(tile, state, tile_position);
  } else {
    attend_all(widen(tile), state, tile_position);
  }
}

void attend_codes(const AttentionTask& task, const Int8Queries& queries,
                  const AttentionState& state, std::size_t offset, int tile_position,
                  NextTile next) {
  const std::byte* k = task.k + offset;
  if (task.v != nullptr) {
    attend_all(Int8Tile{task, queries, k, task.v + offset, next}, state, tile_position);
    return;
  }
  std::byte* v = queries.end(task);
  transpose_codes(reinterpret_cast<const std::uint8_t*>(k), attention_padded_dim(task.k_dim),
                  attention_padded_dim(task.v_dim), next, reinterpret_cast<std::uint8_t*>(v));
  attend_all(Int8Tile{task, queries, k, v, {}}, state, tile_position);
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
  if (task.dtype == DType::kI8) {
    const Int8Queries queries(task);
    visit_tiles(task, [&](std::size_t offset, int tile_position, NextTile next) {
      attend_codes(task, queries, state, offset, tile_position, next);
    });
    return;
  }
  const auto attend_tile = task.dtype == DType::kF32   ? attend_floats<FloatElement>
                           : task.dtype == DType::kF16 ? attend_floats<HalfElement>
                                                       : attend_floats<Bf16Element>;
  visit_tiles(task, [&](std::size_t offset, int tile_position, NextTile next) {
    attend_tile(task, state, offset, tile_position, next);
  });
}
