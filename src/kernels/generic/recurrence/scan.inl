// Linear recurrences with one decay per head: the gated delta rule (Yang et al., "Gated Delta
// Networks", 2024) and the state space of Mamba-2 (Dao and Gu, 2024), token by token, in float32.
// Columns of the state do not see each other. So a tile of 16 columns, 8 KB at 128 rows, meets all
// tokens of the run before the next one, from the first level of caches; and it is one linear read
// and write for a single token. The sum over rows is four chains, whatever the number of lanes.
// Included once per instruction set, after the other generics (see cpu/*.cc).

constexpr int kTileVectors = kScanColumns / kLanes;
constexpr int kChains = 4;

struct Chains {
  F of[kChains][kTileVectors];
  inline void clear() {
    for (auto& chain : of) {
      for (F& sum : chain) sum = splat(0);
    }
  }
  inline F total(int v) const { return (of[0][v] + of[2][v]) + (of[1][v] + of[3][v]); }
};

// body(row, chain) for all rows, the chain a constant in each place.
template <typename Body>
inline __attribute__((always_inline)) void for_each_row(int rows, const Body& body) {
  int row = 0;
  for (; row + kChains <= rows; row += kChains) {
#pragma GCC unroll 4
    for (int c = 0; c < kChains; ++c) body(row + c, c);
  }
  if (row < rows) body(row, 0);
  if (row + 1 < rows) body(row + 1, 1);
  if (row + 2 < rows) body(row + 2, 2);
}

// What a token brings: pointers to its rows, its v of this tile, and its decay.
struct ScanToken {
  const float* q;
  const float* k;
  float decay, gain;
};

// One token: the tile `from` becomes `to` (they may be the same); y: what q reads from it.
template <bool kIsDelta>
inline void scan_token(const ScanToken& token, int rows, const float* from, float* to,
                       const F (&v)[kTileVectors], F (&y)[kTileVectors]) {
  const F decay = splat(token.decay), gain = splat(token.gain);
  Chains sums;
  F change[kTileVectors];
  if constexpr (kIsDelta) {  // what the state answers to k is taken back
    sums.clear();
    for_each_row(rows, [&](int row, int c) {
      const F key = splat(token.k[row]);
#pragma GCC unroll 4
      for (int i = 0; i < kTileVectors; ++i) {
        sums.of[c][i] = fma(load(from + row * kScanColumns + i * kLanes), key, sums.of[c][i]);
      }
    });
    for (int i = 0; i < kTileVectors; ++i) change[i] = (v[i] - sums.total(i) * decay) * gain;
  } else {
    for (int i = 0; i < kTileVectors; ++i) change[i] = v[i] * gain;
  }
  sums.clear();
  for_each_row(rows, [&](int row, int c) {
    const F key = splat(token.k[row]), query = splat(token.q[row]);
#pragma GCC unroll 4
    for (int i = 0; i < kTileVectors; ++i) {
      const int at = row * kScanColumns + i * kLanes;
      const F next = fma(key, change[i], load(from + at) * decay);
      store(to + at, next);
      sums.of[c][i] = fma(next, query, sums.of[c][i]);
    }
  });
  for (int i = 0; i < kTileVectors; ++i) y[i] = sums.total(i);
}

// Columns [column, column + columns) of all tokens; columns <= kScanColumns.
template <bool kIsDelta>
void scan_tile(const ScanTask& task, int column, int columns) {
  const std::ptrdiff_t tile = static_cast<std::ptrdiff_t>(column) * task.k_dim;
  const float* from = task.state + tile;
  const F skip = splat(task.skip);
  alignas(64) float part[kScanColumns] = {};
  for (int t = 0; t < task.tokens; ++t) {
    float* to = (task.states != nullptr ? task.states[t] : task.state) + tile;
    const float* v_at = task.v + t * task.v_stride + column;
    if (columns < kScanColumns) {
      std::memcpy(part, v_at, static_cast<std::size_t>(columns) * sizeof(float));
      v_at = part;
    }
    F v[kTileVectors], y[kTileVectors];
    for (int i = 0; i < kTileVectors; ++i) v[i] = load(v_at + i * kLanes);
    const ScanToken token{task.q + t * task.q_stride, task.k + t * task.k_stride,
                          task.decays[t * task.decay_stride],
                          task.gains != nullptr ? task.gains[t * task.gain_stride] : 1.0f};
    scan_token<kIsDelta>(token, task.k_dim, from, to, v, y);
    alignas(64) float out[kScanColumns];
    for (int i = 0; i < kTileVectors; ++i) store(out + i * kLanes, fma(skip, v[i], y[i]));
    std::memcpy(task.out + t * task.out_stride + column, out,
                static_cast<std::size_t>(columns) * sizeof(float));
    from = to;
  }
}

void scan(const ScanTask& task) {
  for (int column = 0; column < task.v_dim; column += kScanColumns) {
    const int rest = task.v_dim - column, columns = rest < kScanColumns ? rest : kScanColumns;
    task.is_delta ? scan_tile<true>(task, column, columns)
                  : scan_tile<false>(task, column, columns);
  }
}
