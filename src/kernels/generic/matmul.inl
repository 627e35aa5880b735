// The frame of every product: tiles of kLanes rows against blocks of up to kColumnsMax tokens. The
// innermost part (a Core) multiplies one tile with kColumns tokens over the whole of K; every
// kColumns does the same arithmetic per output, so the size of the batch cannot be seen in it.
// One tile at a time keeps decode a single linear stream, which memory serves best (two streams a
// thread measured a third slower). A block of 64 rows stays in L2 while all tokens pass over it.

constexpr int kTilesPerBlock = 64 / kLanes;

// With one or two tokens the hardware follows the stream by itself (software prefetch measured 10 %
// slower); with more, arithmetic slows the stream down and prefetching 4 KiB ahead gives up to half
// as much again.
template <int kColumns>
inline void prefetch_weights(const void* at) {
  if constexpr (kColumns >= 4) __builtin_prefetch(static_cast<const char*>(at) + 4096);
}

template <int kColumns>
struct Sums {
  F of[kColumns];
  inline void clear() {
    for (F& sum : of) sum = splat(0);
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

template <typename Core, int kColumns>
void multiply_block(const MatmulTask& task, int tile_begin, int tile_end, int token) {
  const std::byte* x = task.x + static_cast<std::size_t>(token) * task.x_stride;
  for (int tile = tile_begin; tile < tile_end; ++tile) {
    const std::byte* weights = task.tiles + static_cast<std::size_t>(tile) * task.bytes_per_tile;
    Sums<kColumns> sums;
    Core::multiply(weights, x, task.x_stride, task.columns, sums);
    for (int c = 0; c < kColumns; ++c) write_outputs(task, tile, token + c, sums.of[c]);
  }
}

// Calls multiply_block for exactly `columns` tokens, 1..kColumnsMax.
template <typename Core, int kColumns = kColumnsMax>
inline void multiply_columns(const MatmulTask& task, int begin, int end, int token, int columns) {
  if constexpr (kColumns > 1) {
    if (columns < kColumns) {
      return multiply_columns<Core, kColumns - 1>(task, begin, end, token, columns);
    }
  }
  multiply_block<Core, kColumns>(task, begin, end, token);
}

template <typename Core>
void matmul(const MatmulTask& task) {
  for (int begin = task.tile_begin; begin < task.tile_end; begin += kTilesPerBlock) {
    const int end = begin + kTilesPerBlock < task.tile_end ? begin + kTilesPerBlock : task.tile_end;
    for (int token = 0; token < task.tokens; token += kColumnsMax) {
      const int left = task.tokens - token;
      multiply_columns<Core>(task, begin, end, token, left < kColumnsMax ? left : kColumnsMax);
    }
  }
}
