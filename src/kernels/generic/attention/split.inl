// Attention over one split of 256 absolute positions: tiles of 32 in order, queries in blocks of up
// to eight that read a tile together. Tiles that a block does not see are skipped.
// Included once per instruction set, after the tiles of every KV type (see cpu/*.cc).

// One tile for kQueries queries from `query` on; some of them see some of it.
template <typename Tile, int kQueries>
void attend(const Tile& tile, const AttentionState& state, int query, const Range* ranges) {
  const int padded = attention_padded_dim(tile.task.head_dim);
  alignas(64) float scores[kQueries][kTileTokens];
  alignas(64) float rescale[kQueries];
  tile.template score<kQueries>(query, scores);
  soften<kQueries>(scores, ranges, state.peaks + query, state.sums + query, rescale);
  tile.template add<kQueries>(scores, rescale, ranges,
                              state.values + static_cast<std::ptrdiff_t>(query) * padded, padded);
}

template <typename Tile>
void attend_all(const Tile& tile, const AttentionState& state, int tile_position) {
  using Attend = void (*)(const Tile&, const AttentionState&, int, const Range*);
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
      ranges[i] = visible(task.positions[query + i], task.window, tile_position);
      is_seen |= !ranges[i].is_empty();
    }
    if (is_seen) kAttend[count - 1](tile, state, query, ranges);
  }
}

template <typename Element>
void attend_floats(const AttentionTask& task, const AttentionState& state, std::size_t offset,
                   int tile_position, NextTile next) {
  using Type = typename Element::Type;
  const FloatTile<Element> tile{task, reinterpret_cast<const Type*>(task.k + offset),
                                reinterpret_cast<const Type*>(task.v + offset), task.head_dim,
                                next};
  constexpr bool kIsWide = sizeof(Type) == sizeof(float);
  const bool is_whole = task.head_dim % kLanes == 0;
  // A pass over the tile costs less than its conversion by every block, from three blocks on.
  if (is_whole && (kIsWide || task.queries <= 2 * kQueryBlockMax)) {
    attend_all(tile, state, tile_position);
  } else {
    attend_all(widen(tile), state, tile_position);
  }
}

// Calls body(offset of the block, its position, where the next one is) for each tile that a query
// may see.
template <typename Body>
void visit_tiles(const AttentionTask& task, int position_min, int position_max, const Body& body) {
  for (int tile = task.split * kTilesPerSplit; tile < (task.split + 1) * kTilesPerSplit; ++tile) {
    const int tile_position = tile * kTileTokens;
    if (tile_position > position_max) break;
    if (task.window > 0 && tile_position + kTileTokens <= position_min - task.window + 1) continue;
    const auto offset = [&](int t) {
      return static_cast<std::size_t>(task.blocks[t]) * task.block_stride;
    };
    NextTile next;
    if (tile_position + kTileTokens <= position_min && task.queries <= 2 * kQueryBlockMax) {
      next.bytes = static_cast<std::ptrdiff_t>(offset(tile + 1) - offset(tile));
    }
    body(offset(tile), tile_position, next);
  }
}

void attention_split(const AttentionTask& task) {
  const AttentionState state = attention_state(task.states, task.queries, task.head_dim);
  attention_clear(state, task.queries, task.head_dim);
  int position_max = 0, position_min = std::numeric_limits<int>::max();
  for (int query = 0; query < task.queries; ++query) {
    const int position = task.positions[query];
    position_max = position > position_max ? position : position_max;
    position_min = position < position_min ? position : position_min;
  }
  if (task.dtype == DType::kI8) {
    const Int8Queries queries(task, attention_padded_dim(task.head_dim));
    visit_tiles(task, position_min, position_max,
                [&](std::size_t offset, int tile_position, NextTile next) {
                  attend_all(Int8Tile{task, queries, task.k + offset, task.v + offset, next}, state,
                             tile_position);
                });
    return;
  }
  const auto attend_tile = task.dtype == DType::kF32   ? attend_floats<FloatElement>
                           : task.dtype == DType::kF16 ? attend_floats<HalfElement>
                                                       : attend_floats<Bf16Element>;
  visit_tiles(task, position_min, position_max,
              [&](std::size_t offset, int tile_position, NextTile next) {
                attend_tile(task, state, offset, tile_position, next);
              });
}
