// The frame of every product: tiles of kLanes rows against blocks of tokens. The innermost part (a
// Core) multiplies kTiles neighbouring tiles with kColumns tokens over the whole of K; any numbers
// of them do the same arithmetic per output, so the size of the batch cannot be seen in it.
// One pass (decode of a few sequences) reads one tile at a time, a single linear stream, which
// memory serves best. With more passes arithmetic counts: kPassTiles tiles share each activation,
// and a block of tiles stays in L2 while all tokens pass over it. Meanwhile the next block is
// fetched there: a pass fetches its share, so that memory is read evenly under the arithmetic.
// With one token (kStreamTokens) the hardware follows the stream by itself, unless its core is one
// of kLooksAheadAlone; with a few more (kNearTokens) it looks some lines ahead when told to, where
// a whole block would be a burst that the loads wait for. With many tokens the tiles of some types
// are first unpacked into scratch, losslessly: the same values meet the same arithmetic.

constexpr int kTilesPerBlock = 64 / kLanes;
constexpr int kNearBytes = 51 * 64;  // a third and twice of it are slower

// Up to so many tokens one tile is read at a time.
template <typename Core>
inline constexpr int kOneTileTokensMax = Core::kColumnsMax;

// Cores that keep arithmetic so busy that even one stream is better told what comes.
template <typename Core>
inline constexpr bool kLooksAheadAlone =
    kNearTokens > 0 && requires { Core::kLooksAheadAlone; };

// Fetches [at, end), some lines at each call of `step`: the next block into L2, or, near, what
// lies kNearBytes behind the tile that is read, into L1.
struct Ahead {
  const char* at;
  const char* end;
  int passes;  // over the current block
  bool is_near = false;

  // A step of a pass goes over `bytes` of the current block.
  inline int lines_per_step(int bytes) const {
    return at < end ? (bytes / 64 + passes - 1) / passes : 0;
  }
  inline void step(int lines) {
    if (is_near) {
      for (int i = 0; i < lines; ++i, at += 64) fetch_soon(at);
    } else {
      for (int i = 0; i < lines; ++i, at += 64) fetch_line(at);
    }
  }
  inline void follow(const std::byte* tile, std::size_t bytes) {
    at = reinterpret_cast<const char*>(tile) + kNearBytes;
    end = at + bytes;
  }
};

template <int kTiles, int kColumns>
struct Sums {
  F of[kTiles][kColumns];
  inline void clear() {
    for (auto& tile : of) {
      for (F& sum : tile) sum = splat(0);
    }
  }
};

// kTiles tiles that follow each other in memory.
struct Tiles {
  const std::byte* first;
  std::size_t stride;  // bytes
  inline const std::byte* at(int tile) const {
    return first + static_cast<std::size_t>(tile) * stride;
  }
};

inline void write_outputs(const MatmulTask& task, int tile, int token, F sum) {
  const int row = tile * kLanes;
  const int count = task.rows - row < kLanes ? task.rows - row : kLanes;
  float* out = task.out + static_cast<std::ptrdiff_t>(token) * task.out_stride + row;
  if (count == kLanes) {
    if (task.bias != nullptr) sum = sum + load(task.bias + row);
    store(out, task.accumulate ? load(out) + sum : sum);
  } else {
    if (task.bias != nullptr) sum = sum + load_partial(task.bias + row, count);
    store_partial(out, task.accumulate ? load_partial(out, count) + sum : sum, count);
  }
}

template <typename Core, int kTiles, int kColumns>
void multiply_block(const MatmulTask& task, int tile, int tile_end, int token, Ahead& ahead) {
  const std::byte* x = task.x + static_cast<std::size_t>(token) * task.x_stride;
  std::size_t x_stride = task.x_stride;
  if constexpr (requires { Core::read_tokens(task, x, kColumns, x_stride); }) {
    x = Core::read_tokens(task, x, kColumns, x_stride);
  }
  for (; tile + kTiles <= tile_end; tile += kTiles) {
    const Tiles tiles = {task.tiles + static_cast<std::size_t>(tile) * task.bytes_per_tile,
                         task.bytes_per_tile};
    Sums<kTiles, kColumns> sums;
    if (kTiles == 1 && ahead.is_near) ahead.follow(tiles.first, task.bytes_per_tile);
    Core::multiply(tiles, x, x_stride, task.columns, sums, ahead);
    for (int t = 0; t < kTiles; ++t) {
      for (int c = 0; c < kColumns; ++c) write_outputs(task, tile + t, token + c, sums.of[t][c]);
    }
  }
  if constexpr (kTiles > 1) {
    multiply_block<Core, 1, kColumns>(task, tile, tile_end, token, ahead);
  }
}

// Calls multiply_block for exactly `columns` tokens, 1..Core::kColumnsMax.
template <typename Core, int kTiles, int kColumns = Core::kColumnsMax>
inline void multiply_columns(const MatmulTask& task, int begin, int end, int token, int columns,
                             Ahead& ahead) {
  if constexpr (kColumns > 1) {
    if (columns < kColumns) {
      return multiply_columns<Core, kTiles, kColumns - 1>(task, begin, end, token, columns, ahead);
    }
  }
  multiply_block<Core, kTiles, kColumns>(task, begin, end, token, ahead);
}

// Tiles [begin, end) of the task for all of its tokens, in passes of nearly equal size.
template <typename Core, int kTiles>
inline void multiply_tokens(const MatmulTask& task, int begin, int end, Ahead& ahead) {
  constexpr int kColumns = Core::kColumnsMax;
  int token = 0;
  for (int passes = (task.tokens + kColumns - 1) / kColumns; passes > 0; --passes) {
    const int columns = (task.tokens - token + passes - 1) / passes;
    multiply_columns<Core, kTiles>(task, begin, end, token, columns, ahead);
    token += columns;
  }
}

// The same after unpacking the tiles, once for all tokens, into the task's scratch.
template <typename Core>
void multiply_unpacked(const MatmulTask& task, int begin, int end, Ahead& ahead) {
  using Unpacked = typename Core::Unpacked;
  MatmulTask block = task;
  block.tiles = task.scratch;
  block.bytes_per_tile = Unpacked::tile_bytes(task.columns);
  block.rows = task.rows - begin * kLanes;
  block.out = task.out + begin * kLanes;
  if (task.bias != nullptr) block.bias = task.bias + begin * kLanes;
  for (int tile = begin; tile < end; ++tile) {
    Core::unpack(task.tiles + static_cast<std::size_t>(tile) * task.bytes_per_tile, task.columns,
                 task.scratch + static_cast<std::size_t>(tile - begin) * block.bytes_per_tile);
  }
  multiply_tokens<Unpacked, kPassTiles>(block, 0, end - begin, ahead);
}

template <typename Core>
void matmul(const MatmulTask& task) {
  const auto tile_at = [&](int tile) {
    return task.tiles + static_cast<std::size_t>(tile) * task.bytes_per_tile;
  };
  for (int begin = task.tile_begin; begin < task.tile_end; begin += kTilesPerBlock) {
    const int end = begin + kTilesPerBlock < task.tile_end ? begin + kTilesPerBlock : task.tile_end;
    const int then = end + kTilesPerBlock < task.tile_end ? end + kTilesPerBlock : task.tile_end;
    const bool is_last = end == task.tile_end;
    const std::byte* next = is_last ? task.next : tile_at(end);
    const std::byte* next_end = is_last ? task.next + task.next_bytes : tile_at(then);
    Ahead ahead = {reinterpret_cast<const char*>(next), reinterpret_cast<const char*>(next_end),
                   (task.tokens + Core::kColumnsMax - 1) / Core::kColumnsMax};
    constexpr int kAlone = kLooksAheadAlone<Core> ? 0 : kStreamTokens;
    ahead.is_near = task.tokens > kAlone && task.tokens <= kNearTokens &&
                    task.tokens <= Core::kColumnsMax;
    if (task.tokens <= kAlone) ahead.at = ahead.end;
    if constexpr (Core::kUnpackTokensMin > 0) {
      if (task.tokens >= Core::kUnpackTokensMin && task.scratch != nullptr) {
        multiply_unpacked<Core>(task, begin, end, ahead);
        continue;
      }
    }
    if (task.tokens <= kOneTileTokensMax<Core>) {
      multiply_tokens<Core, 1>(task, begin, end, ahead);
    } else {
      multiply_tokens<Core, kPassTiles>(task, begin, end, ahead);
    }
  }
}
