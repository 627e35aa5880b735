// The frame of every product: tiles of kRows rows (kTileVectors vectors) against blocks of tokens.
// The innermost part (a Core) multiplies one tile with kColumns tokens over the whole of K; every
// kColumns does the same arithmetic per output, so the size of the batch cannot be seen in it.
// A block of tiles stays in L2 while all tokens pass over it, and meanwhile the next block is
// fetched there: a pass fetches its share, so that memory is read evenly under the arithmetic.
// With one or two tokens there is next to no arithmetic; the stream is linear, the hardware
// follows it by itself, and fetching ahead measured slower.

constexpr int kRows = kLanes * kTileVectors;
constexpr int kTilesPerBlock = kRows < 64 ? 64 / kRows : 1;

// Fetches [at, end) into L2, some lines at each call of `step`.
struct Ahead {
  const char* at;
  const char* end;
  int passes;  // over the current block

  // One step of a pass has consumed kBytes of the current block.
  template <int kBytes>
  inline int lines_per_step() const {
    return at < end ? (kBytes / 64 + passes - 1) / passes : 0;
  }
  inline void step(int lines) {
    for (int i = 0; i < lines; ++i, at += 64) fetch_line(at);
  }
};

template <int kColumns>
struct Sums {
  F of[kTileVectors][kColumns];
  inline void clear() {
    for (auto& vector : of) {
      for (F& sum : vector) sum = splat(0);
    }
  }
};

inline void write_outputs(const MatmulTask& task, int row, int token, F sum) {
  const int count = task.rows - row < kLanes ? task.rows - row : kLanes;
  float* out = task.out + static_cast<std::ptrdiff_t>(token) * task.out_stride + row;
  if (count == kLanes) {
    if (task.bias != nullptr) sum = sum + load(task.bias + row);
    store(out, task.accumulate ? load(out) + sum : sum);
  } else if (count > 0) {
    if (task.bias != nullptr) sum = sum + load_partial(task.bias + row, count);
    store_partial(out, task.accumulate ? load_partial(out, count) + sum : sum, count);
  }
}

template <typename Core, int kColumns>
void multiply_block(const MatmulTask& task, int tile_begin, int tile_end, int token,
                    Ahead& ahead) {
  const std::byte* x = task.x + static_cast<std::size_t>(token) * task.x_stride;
  for (int tile = tile_begin; tile < tile_end; ++tile) {
    const std::byte* weights = task.tiles + static_cast<std::size_t>(tile) * task.bytes_per_tile;
    Sums<kColumns> sums;
    Core::multiply(weights, x, task.x_stride, task.columns, sums, ahead);
    for (int c = 0; c < kColumns; ++c) {
      for (int v = 0; v < kTileVectors; ++v) {
        write_outputs(task, tile * kRows + v * kLanes, token + c, sums.of[v][c]);
      }
    }
  }
}

// Calls multiply_block for exactly `columns` tokens, 1..Core::kColumnsMax.
template <typename Core, int kColumns = Core::kColumnsMax>
inline void multiply_columns(const MatmulTask& task, int begin, int end, int token, int columns,
                             Ahead& ahead) {
  if constexpr (kColumns > 1) {
    if (columns < kColumns) {
      return multiply_columns<Core, kColumns - 1>(task, begin, end, token, columns, ahead);
    }
  }
  multiply_block<Core, kColumns>(task, begin, end, token, ahead);
}

template <typename Core>
void matmul(const MatmulTask& task) {
  constexpr int kColumns = Core::kColumnsMax;
  const auto tile_at = [&](int tile) {
    const int last = task.tile_end + task.tiles_ahead;
    return reinterpret_cast<const char*>(task.tiles) +
           static_cast<std::size_t>(tile < last ? tile : last) * task.bytes_per_tile;
  };
  for (int begin = task.tile_begin; begin < task.tile_end; begin += kTilesPerBlock) {
    const int end = begin + kTilesPerBlock < task.tile_end ? begin + kTilesPerBlock : task.tile_end;
    Ahead ahead = {tile_at(end), tile_at(end + kTilesPerBlock),
                   (task.tokens + kColumns - 1) / kColumns};
    if (task.tokens <= 2) ahead.at = ahead.end;
    for (int token = 0; token < task.tokens; token += kColumns) {
      const int left = task.tokens - token;
      multiply_columns<Core>(task, begin, end, token, left < kColumns ? left : kColumns, ahead);
    }
  }
}
