// Scores and weighted sums over a tile of 32 tokens whose K and V are floats of any width. Elements
// become float32 exactly, in registers as they are read or once for many queries (`WidenedTile`):
// the same values, hence the same bits. A score is one chain of fma over the head dimension; an
// output one chain over the tokens of the query's range, so that NaN outside it cannot be seen.

struct FloatElement {
  using Type = float;
  static F read(const float* p) { return load(p); }
  static float read_one(const float* p) { return *p; }
};
struct HalfElement {
  using Type = std::uint16_t;
  static F read(const std::uint16_t* p) { return load_half(p); }
  static float read_one(const std::uint16_t* p) { return half_to_float(*p); }
};
struct Bf16Element {
  using Type = std::uint16_t;
  static F read(const std::uint16_t* p) { return load_bf16(p); }
  static float read_one(const std::uint16_t* p) { return bf16_to_float(*p); }
};

// How many vectors wide a block of `queries` rows may be, a power of two, at most `most`.
constexpr int block_vectors(int queries, int most) {
  int vectors = 1;
  while (2 * vectors <= most && 2 * vectors * queries <= kAccumulatorsMax) vectors *= 2;
  return vectors;
}

// scores[i][token] = dot(query i, K column of the token).  k: [head_dim, 32]
template <typename Element, int kQueries>
inline void score_floats(const float* q, int head_dim, const typename Element::Type* k,
                         NextTile next, float (*scores)[kTileTokens]) {
  constexpr int kVectors = block_vectors(kQueries, kTokenVectors);
  for (int first = 0; first < kTokenVectors; first += kVectors) {
    F sums[kQueries][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[i][v] = splat(0);
    }
    for (int d = 0; d < head_dim; ++d) {
      if (first == 0) next.fetch<kTileTokens * sizeof(*k)>(k + d * kTileTokens);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const F keys = Element::read(k + d * kTileTokens + (first + v) * kLanes);
#pragma GCC unroll 8
        for (int i = 0; i < kQueries; ++i) {
          sums[i][v] = fma(keys, splat(q[i * head_dim + d]), sums[i][v]);
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) store(&scores[i][(first + v) * kLanes], sums[i][v]);
    }
  }
}

// out[i] = out[i] * rescale[i] + sum over the range's tokens of weight * V, for kVectors vectors.
template <typename Element, int kQueries, int kVectors>
inline void add_columns(const float (*weights)[kTileTokens], const float* rescale,
                        const typename Element::Type* v, int v_stride, NextTile next, Range range,
                        float* out, int out_stride) {
  F sums[kQueries][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 8
    for (int d = 0; d < kVectors; ++d) {
      sums[i][d] = load(out + i * out_stride + d * kLanes) * splat(rescale[i]);
    }
  }
  for (int token = range.low; token < range.high; ++token) {
    next.fetch<kVectors * kLanes * sizeof(*v)>(v + token * v_stride);
#pragma GCC unroll 8
    for (int d = 0; d < kVectors; ++d) {
      const F values = Element::read(v + token * v_stride + d * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kQueries; ++i) {
        sums[i][d] = fma(values, splat(weights[i][token]), sums[i][d]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 8
    for (int d = 0; d < kVectors; ++d) store(out + i * out_stride + d * kLanes, sums[i][d]);
  }
}

// The same for all of the head dimension.  out: [queries, padded], v: [32, v_stride]
template <typename Element, int kQueries>
inline void add_values(const float (*weights)[kTileTokens], const float* rescale,
                       const typename Element::Type* v, int v_stride, NextTile next, Range range,
                       float* out, int padded) {
  constexpr int kVectors = block_vectors(kQueries, 4);
  int d = 0;
  for (; d + kVectors * kLanes <= padded; d += kVectors * kLanes) {
    add_columns<Element, kQueries, kVectors>(weights, rescale, v + d, v_stride, next, range,
                                             out + d, padded);
  }
  for (; d < padded; d += kLanes) {
    add_columns<Element, kQueries, 1>(weights, rescale, v + d, v_stride, next, range, out + d,
                                      padded);
  }
}

// K and V where they lie. V's dimension is whole vectors.
template <typename Element>
struct FloatTile {
  const AttentionTask& task;
  const typename Element::Type* k;  // [k_dim, 32]
  const typename Element::Type* v;  // [32, v_stride], or null: V is K's first v_dim rows
  int v_stride;
  NextTile next;

  template <int kQueries>
  void score(int query, float (*scores)[kTileTokens]) const {
    score_floats<Element, kQueries>(task.q + static_cast<std::ptrdiff_t>(query) * task.k_dim,
                                    task.k_dim, k, next, scores);
  }

  // Tokens that all queries see go through one pass; those before and after it, through one each.
  template <int kQueries>
  void add(const float (*weights)[kTileTokens], const float* rescale, const Range* ranges,
           float* out, int padded) const {
    Range common = ranges[0];
    for (int i = 1; i < kQueries; ++i) {
      common.low = ranges[i].low > common.low ? ranges[i].low : common.low;
      common.high = ranges[i].high < common.high ? ranges[i].high : common.high;
    }
    if (common.is_empty()) {
      for (int i = 0; i < kQueries; ++i) {
        add_alone(weights + i, rescale + i, ranges[i], out + i * padded, padded);
      }
      return;
    }
    float kept[kQueries];
    for (int i = 0; i < kQueries; ++i) {
      kept[i] = rescale[i];
      if (ranges[i].low < common.low) {
        add_alone(weights + i, kept + i, {ranges[i].low, common.low}, out + i * padded, padded);
        kept[i] = 1;
      }
    }
    add_values<Element, kQueries>(weights, kept, v, v_stride, next, common, out, padded);
    constexpr float kOne = 1;
    for (int i = 0; i < kQueries; ++i) {
      if (common.high < ranges[i].high) {
        add_alone(weights + i, &kOne, {common.high, ranges[i].high}, out + i * padded, padded);
      }
    }
  }

  void add_alone(const float (*weights)[kTileTokens], const float* rescale, Range range, float* out,
                 int padded) const {
    add_values<Element, 1>(weights, rescale, v, v_stride, next, range, out, padded);
  }
};

// count elements as floats.
template <typename Element>
inline void widen_row(const typename Element::Type* from, int count, float* to) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, Element::read(from + i));
  for (; i < count; ++i) to[i] = Element::read_one(from + i);
}

// v: [32, padded] = the first v_dim rows of k: [k_dim, 32] transposed, zeros behind each row.
inline void transpose_values(const float* k, int v_dim, int padded, float* v) {
  for (int d = 0; d < padded; d += kLanes) {
    const int rows = v_dim - d < kLanes ? v_dim - d : kLanes;
    for (int token = 0; token < kTileTokens; token += kLanes) {
      F block[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        block[i] = i < rows ? load(k + (d + i) * kTileTokens + token) : splat(0);
      }
      transpose(block);
      for (int i = 0; i < kLanes; ++i) store(v + (token + i) * padded + d, block[i]);
    }
  }
}

// Widens the tile into scratch: K [k_dim, 32] and then V [32, padded], zeros behind each row.
template <typename Element>
inline FloatTile<FloatElement> widen(const FloatTile<Element>& tile) {
  const int k_dim = tile.task.k_dim, v_dim = tile.task.v_dim;
  const int padded = attention_padded_dim(v_dim);
  float* k = tile.task.scratch;
  float* v = k + kTileTokens * k_dim;
  if (tile.v == nullptr) {
    for (int d = 0; d < k_dim; ++d) {
      tile.next.template fetch<kTileTokens * sizeof(*tile.k)>(tile.k + d * kTileTokens);
      widen_row<Element>(tile.k + d * kTileTokens, kTileTokens, k + d * kTileTokens);
    }
    transpose_values(k, v_dim, padded, v);
    return {tile.task, k, v, padded, {}};
  }
  widen_row<Element>(tile.k, kTileTokens * k_dim, k);
  for (int token = 0; token < kTileTokens; ++token) {
    widen_row<Element>(tile.v + token * v_dim, v_dim, v + token * padded);
    for (int d = v_dim; d < padded; ++d) v[token * padded + d] = 0;
  }
  return {tile.task, k, v, padded, {}};
}
