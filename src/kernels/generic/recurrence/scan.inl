// Linear recurrences with one decay per head: the gated delta rule (Yang et al., "Gated Delta
// Networks", 2024) and the state space of Mamba-2 (Dao and Gu, 2024), token by token, in float32.
// Columns of the state do not see each other. So some tiles of 16 columns, 8 KB each at 128 rows,
// meet all tokens of the run before the next ones, from the first level of caches; and they are one
// linear read and write for a single token. The sum over rows is four chains, whatever the number
// of lanes. Where registers suffice, what the state answers to the next token's key is summed while
// this token's change passes by: the state is read once for each token.
// Included once per instruction set, after the other generics (see cpu/*.cc).

constexpr int kTileVectors = kScanColumns / kLanes;
constexpr int kChains = 4;
constexpr bool kReadsAhead = kLanes == 16;        // of 32 registers
constexpr int kScanTiles = kReadsAhead ? 2 : 1;  // that share a token's k and q

template <int kVectors>
struct Chains {
  F of[kChains][kVectors];
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

// What a token brings: pointers to its rows, and its decay.
struct ScanToken {
  const float* q;
  const float* k;
  float decay, gain;
  inline ScanToken(const ScanTask& task, int t)
      : q(task.q + t * task.q_stride),
        k(task.k + t * task.k_stride),
        decay(task.decays[t * task.decay_stride]),
        gain(task.gains != nullptr ? task.gains[t * task.gain_stride] : 1.0f) {}
};

// kVectors of columns of the state: those of a tile lie together, tiles follow each other.
template <int kVectors>
struct ScanTiles {
  int rows;
  inline std::ptrdiff_t at(int row, int vector) const {
    const int tile = vector / kTileVectors;
    return (static_cast<std::ptrdiff_t>(tile) * rows + row) * kScanColumns +
           vector % kTileVectors * kLanes;
  }

  // What the state answers to a key.
  inline void read(const float* state, const float* key, Chains<kVectors>& answers) const {
    answers.clear();
    for_each_row(rows, [&](int row, int c) {
      const F k = splat(key[row]);
#pragma GCC unroll 4
      for (int i = 0; i < kVectors; ++i) {
        answers.of[c][i] = fma(load(state + at(row, i)), k, answers.of[c][i]);
      }
    });
  }

  // `from` decays, takes the change of each column and becomes `to` (they may be the same). y: what
  // q reads from it; answers: what it answers to the next token's key, if there is one.
  template <bool kHasNext>
  inline void change(const ScanToken& token, const F (&changes)[kVectors], const float* from,
                     float* to, Chains<kVectors>& y, const float* next_key,
                     Chains<kVectors>& answers) const {
    const F decay = splat(token.decay);
    y.clear();
    if constexpr (kHasNext) answers.clear();
    for_each_row(rows, [&](int row, int c) {
      const F key = splat(token.k[row]), query = splat(token.q[row]);
      const F next_k = kHasNext ? splat(next_key[row]) : splat(0);
#pragma GCC unroll 4
      for (int i = 0; i < kVectors; ++i) {
        const F next = fma(key, changes[i], load(from + at(row, i)) * decay);
        store(to + at(row, i), next);
        y.of[c][i] = fma(next, query, y.of[c][i]);
        if constexpr (kHasNext) answers.of[c][i] = fma(next, next_k, answers.of[c][i]);
      }
    });
  }
};

// Columns [column, column + columns) of all tokens; columns <= kTiles * kScanColumns.
template <bool kIsDelta, int kTiles>
void scan_tiles(const ScanTask& task, int column, int columns) {
  constexpr int kVectors = kTiles * kTileVectors, kWidth = kTiles * kScanColumns;
  const ScanTiles<kVectors> tiles = {task.k_dim};
  const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(column) * task.k_dim;
  const float* from = task.state + begin;
  const F skip = splat(task.skip);
  alignas(64) float part[kWidth] = {};
  Chains<kVectors> y, answers;
  if (kIsDelta && task.tokens > 0) tiles.read(from, task.k, answers);
  for (int t = 0; t < task.tokens; ++t) {
    float* to = (task.states != nullptr ? task.states[t] : task.state) + begin;
    const float* v_at = task.v + t * task.v_stride + column;
    if (columns < kWidth) {
      std::memcpy(part, v_at, static_cast<std::size_t>(columns) * sizeof(float));
      v_at = part;
    }
    const ScanToken token(task, t);
    F v[kVectors], changes[kVectors];
    for (int i = 0; i < kVectors; ++i) {
      v[i] = load(v_at + i * kLanes);
      changes[i] = v[i];  // of the delta rule: less what the state answers to k
      if constexpr (kIsDelta) changes[i] = v[i] - answers.total(i) * splat(token.decay);
      changes[i] = changes[i] * splat(token.gain);
    }
    const bool has_next = kIsDelta && t + 1 < task.tokens;
    const float* next_key = has_next ? task.k + (t + 1) * task.k_stride : nullptr;
    if (has_next && kReadsAhead) {
      tiles.template change<true>(token, changes, from, to, y, next_key, answers);
    } else {
      tiles.template change<false>(token, changes, from, to, y, nullptr, answers);
      if (has_next) tiles.read(to, next_key, answers);
    }
    alignas(64) float out[kWidth];
    for (int i = 0; i < kVectors; ++i) store(out + i * kLanes, fma(skip, v[i], y.total(i)));
    std::memcpy(task.out + t * task.out_stride + column, out,
                static_cast<std::size_t>(columns) * sizeof(float));
    from = to;
  }
}

template <bool kIsDelta>
void scan_columns(const ScanTask& task) {
  constexpr int kWidth = kScanTiles * kScanColumns;
  int column = 0;
  for (; column + kWidth - kScanColumns < task.v_dim; column += kWidth) {
    scan_tiles<kIsDelta, kScanTiles>(task, column, std::min(task.v_dim - column, kWidth));
  }
  if (column < task.v_dim) scan_tiles<kIsDelta, 1>(task, column, task.v_dim - column);
}

// Columns [column, column + columns) of the delta rule where each row decays in its own way: the
// state is read twice for each token.
void scan_rows(const ScanTask& task, int column, int columns) {
  const ScanTiles<kTileVectors> tiles = {task.k_dim};
  const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(column) * task.k_dim;
  const float* from = task.state + begin;
  alignas(64) float part[kScanColumns] = {};
  Chains<kTileVectors> y, answers;
  for (int t = 0; t < task.tokens; ++t) {
    float* to = (task.states != nullptr ? task.states[t] : task.state) + begin;
    const float* k = task.k + t * task.k_stride;
    const float* q = task.q + t * task.q_stride;
    const float* decays = task.row_decays + t * task.decay_stride;
    const auto decayed = [&](int row, int i) {
      return load(from + tiles.at(row, i)) * splat(decays[row]);
    };
    answers.clear();
    for_each_row(task.k_dim, [&](int row, int c) {
      for (int i = 0; i < kTileVectors; ++i) {
        answers.of[c][i] = fma(decayed(row, i), splat(k[row]), answers.of[c][i]);
      }
    });
    std::memcpy(part, task.v + t * task.v_stride + column,
                static_cast<std::size_t>(columns) * sizeof(float));
    F changes[kTileVectors];
    for (int i = 0; i < kTileVectors; ++i) {
      changes[i] = (load(part + i * kLanes) - answers.total(i)) *
                   splat(task.gains[t * task.gain_stride]);
    }
    y.clear();
    for_each_row(task.k_dim, [&](int row, int c) {
      for (int i = 0; i < kTileVectors; ++i) {
        const F next = fma(splat(k[row]), changes[i], decayed(row, i));
        store(to + tiles.at(row, i), next);
        y.of[c][i] = fma(next, splat(q[row]), y.of[c][i]);
      }
    });
    alignas(64) float out[kScanColumns];
    for (int i = 0; i < kTileVectors; ++i) store(out + i * kLanes, y.total(i));
    std::memcpy(task.out + t * task.out_stride + column, out,
                static_cast<std::size_t>(columns) * sizeof(float));
    from = to;
  }
}

void scan(const ScanTask& task) {
  if (task.row_decays != nullptr) {
    for (int column = 0; column < task.v_dim; column += kScanColumns) {
      scan_rows(task, column, std::min(task.v_dim - column, kScanColumns));
    }
    return;
  }
  task.is_delta ? scan_columns<true>(task) : scan_columns<false>(task);
}
