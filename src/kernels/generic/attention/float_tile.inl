// Scores and weighted sums over a tile of 32 tokens whose K or V are floats of any width. Elements
// become float32 exactly, in registers as they are read or once for many queries (`widen_row`):
// the same values, hence the same bits. A score is one chain of fma over the head dimension; an
// output one chain over the tokens of the query's range, so that NaN outside it cannot be seen.
// Floats of eight bits have a scale per token, which multiplies the score, or the token's weight.

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
struct E4m3Element {  // 2^8 times smaller; the token's scale makes up for it
  using Type = std::uint8_t;
  static F read(const std::uint8_t* p) { return load_e4m3(p); }
  static float read_one(const std::uint8_t* p) { return e4m3_to_float(*p) * 0x1p-8f; }
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

// K of one tile, and what its scores take.
struct Keys {
  const AttentionTask& task;
  const QueryCodes& queries;  // of types whose products are of codes
  const std::byte* k;         // as it lies in the cache, or as floats [k_dim, 32] in scratch
  const float* scales;        // [32] of floats of eight bits, or null
  NextTile next;
};
using Score = void (*)(const Keys&, int query, float (*scores)[kTileTokens]);

// V of one tile.
struct Values {
  const AttentionTask& task;
  const std::byte* v;   // as it lies, or as floats in scratch
  int stride;           // of floats: elements from token to token, whole vectors
  const float* scales;  // [32] of floats of eight bits, or null
  NextTile next;
};
using Add = void (*)(const Values&, const float (*weights)[kTileTokens], const float* rescale,
                     const Range* ranges, float* out, int padded);

template <typename Element, int kQueries>
void score_float_keys(const Keys& keys, int query, float (*scores)[kTileTokens]) {
  const int dim = keys.task.k_dim;
  score_floats<Element, kQueries>(keys.task.q + static_cast<std::ptrdiff_t>(query) * dim, dim,
                                  reinterpret_cast<const typename Element::Type*>(keys.k),
                                  keys.next, scores);
  if (keys.scales == nullptr) return;
  for (int v = 0; v < kTileTokens; v += kLanes) {
    const F scale = load(keys.scales + v);
    for (int i = 0; i < kQueries; ++i) store(scores[i] + v, load(scores[i] + v) * scale);
  }
}

// Tokens that all queries see go through one pass; those before and after it, through one each.
template <typename Element, int kQueries>
inline void add_ranges(const Values& values, const float (*weights)[kTileTokens],
                       const float* rescale, const Range* ranges, float* out, int padded) {
  const auto* v = reinterpret_cast<const typename Element::Type*>(values.v);
  const auto add_alone = [&](int i, const float* kept, Range range) {
    add_values<Element, 1>(weights + i, kept, v, values.stride, values.next, range,
                           out + i * padded, padded);
  };
  Range common = ranges[0];
  for (int i = 1; i < kQueries; ++i) {
    common.low = ranges[i].low > common.low ? ranges[i].low : common.low;
    common.high = ranges[i].high < common.high ? ranges[i].high : common.high;
  }
  if (common.is_empty()) {
    for (int i = 0; i < kQueries; ++i) add_alone(i, rescale + i, ranges[i]);
    return;
  }
  float kept[kQueries];
  for (int i = 0; i < kQueries; ++i) {
    kept[i] = rescale[i];
    if (ranges[i].low < common.low) {
      add_alone(i, kept + i, {ranges[i].low, common.low});
      kept[i] = 1;
    }
  }
  add_values<Element, kQueries>(weights, kept, v, values.stride, values.next, common, out, padded);
  constexpr float kOne = 1;
  for (int i = 0; i < kQueries; ++i) {
    if (common.high < ranges[i].high) add_alone(i, &kOne, {common.high, ranges[i].high});
  }
}

template <typename Element, int kQueries>
void add_float_values(const Values& values, const float (*weights)[kTileTokens],
                      const float* rescale, const Range* ranges, float* out, int padded) {
  if (values.scales == nullptr) {
    return add_ranges<Element, kQueries>(values, weights, rescale, ranges, out, padded);
  }
  alignas(64) float scaled[kQueries][kTileTokens];
  for (int v = 0; v < kTileTokens; v += kLanes) {
    const F scale = load(values.scales + v);
    for (int i = 0; i < kQueries; ++i) store(scaled[i] + v, load(weights[i] + v) * scale);
  }
  add_ranges<Element, kQueries>(values, scaled, rescale, ranges, out, padded);
}

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

// k: [k_dim, 32] as floats; v: [32, padded], zeros behind each row.
template <typename Element>
inline void widen_keys(const Keys& keys, float* k) {
  const auto* from = reinterpret_cast<const typename Element::Type*>(keys.k);
  for (int d = 0; d < keys.task.k_dim; ++d, from += kTileTokens) {
    keys.next.template fetch<kTileTokens * sizeof(*from)>(from);
    widen_row<Element>(from, kTileTokens, k + d * kTileTokens);
  }
}
template <typename Element>
inline void widen_values(const Values& values, int padded, float* v) {
  const auto* from = reinterpret_cast<const typename Element::Type*>(values.v);
  const int dim = values.task.v_dim;
  for (int token = 0; token < kTileTokens; ++token) {
    widen_row<Element>(from + token * dim, dim, v + token * padded);
    for (int d = dim; d < padded; ++d) v[token * padded + d] = 0;
  }
}

// codes = x / scale as E4M3, and the scale that undoes it, 2^8 times larger as E4m3Element asks;
// NaN if an x is not finite. A half has E4M3's exponents and seven more bits, which are rounded.
float quantize_e4m3(const float* x, int count, std::uint8_t* codes) {
  constexpr float kLargest = 448.0f / 256;
  const std::int32_t bits = largest_bits(x, count);
  float largest;
  std::memcpy(&largest, &bits, sizeof largest);
  const bool is_finite = bits < 0x7F800000;
  if (!is_finite || largest < 1e-30f) {
    std::memset(codes, 0, static_cast<std::size_t>(count));
    return is_finite ? 0.0f : std::numeric_limits<float>::quiet_NaN();
  }
  const F inverse = splat(kLargest / largest);
  alignas(64) std::uint16_t halves[kLanes];
  for (int i = 0; i < count; i += kLanes) {
    const int rest = count - i < kLanes ? count - i : kLanes;
    store_half(halves, (rest < kLanes ? load_partial(x + i, rest) : load(x + i)) * inverse);
    for (int j = 0; j < rest; ++j) {
      const unsigned half = halves[j], magnitude = half & 0x7FFFu;
      const unsigned code = (magnitude + 0x3Fu + (magnitude >> 7 & 1u)) >> 7;
      codes[i + j] = static_cast<std::uint8_t>((half >> 8 & 0x80u) | (code > 0x7Eu ? 0x7Eu : code));
    }
  }
  return largest / kLargest;
}
