// Scores and weighted sums over a tile of 32 tokens whose K or V are int8 codes with a scale per
// token. K: [padded k / 4, 32 tokens, 4] codes + 128, V: [8 groups of four tokens, padded v, 4]
// codes; the scales [32] follow each. Both products are sums of integers, exact in any order: the
// query becomes int8 codes with one scale, and the weights of a tile, times the scales of V, become
// 14-bit codes (two of seven bits), so that what is added to an output is exact but for that.
// Stale codes are finite whatever they are, and count nothing under a weight of zero.

constexpr float kWeightPeak = 16383;  // two times seven bits
constexpr int kWeightBits = 7;

// codes = round(x * 127 / largest); returns the scale that undoes it, NaN if an x is not finite.
float quantize_head(const float* x, int count, std::int8_t* codes) {
  const std::int32_t bits = largest_bits(x, count);
  int i = 0;
  float largest;
  std::memcpy(&largest, &bits, sizeof largest);
  const bool is_finite = bits < 0x7F800000;
  if (!is_finite || largest < 1e-30f) {  // the inverse would not be finite: all codes zero
    std::memset(codes, 0, static_cast<std::size_t>(count));
    return is_finite ? 0.0f : std::numeric_limits<float>::quiet_NaN();
  }
  const F inverse = splat(127.0f / largest);
  for (i = 0; i + kLanes <= count; i += kLanes) {
    store_codes(codes + i, round_to_int(load(x + i) * inverse));
  }
  if (i < count) {
    alignas(64) std::int8_t rest[kLanes];
    store_codes(rest, round_to_int(load_partial(x + i, count - i) * inverse));
    std::memcpy(codes + i, rest, static_cast<std::size_t>(count - i));
  }
  return largest / 127.0f;
}

// The weights of one tile for kQueries queries as codes, with what one code is worth.
template <int kQueries>
struct WeightCodes {
  alignas(64) std::int8_t high[kQueries][kTileTokens];
  alignas(64) std::int8_t low[kQueries][kTileTokens];
  float units[kQueries];

  void set(int query, const float* weights, const float* scales, Range range) {
    F seen[kTokenVectors], peak = splat(0), wrong = splat(0);
    for (int v = 0; v < kTokenVectors; ++v) {
      seen[v] = load(scales + v * kLanes);
      if (!range.is_whole()) seen[v] = within(range, v, seen[v], splat(0));
      peak = max(seen[v], peak);
      wrong = wrong + seen[v] * splat(0);  // NaN where a scale is not finite
    }
    const float largest = max_lane(peak);
    const bool is_tiny = largest < 1e-30f;
    units[query] = (is_tiny ? 0.0f : largest / kWeightPeak) + sum_lanes(wrong);
    const F inverse = splat(is_tiny ? 0.0f : kWeightPeak / largest), top = splat(kWeightPeak);
    for (int v = 0; v < kTokenVectors; ++v) {
      // min: a weight of NaN, which the sum of weights shows, becomes some code.
      const F x = min(load(weights + v * kLanes) * (seen[v] * inverse), top);
      const I code = round_to_int(x), upper = shift_right<kWeightBits>(code);
      store_codes(high[query] + v * kLanes, upper);
      store_codes(low[query] + v * kLanes, subtract(code, shift_left<kWeightBits>(upper)));
    }
  }
};

// out[i] = out[i] * rescale[i] + sum of weight codes * V codes * unit, for kVectors vectors.
template <int kQueries, int kVectors>
inline void add_int8_columns(const WeightCodes<kQueries>& weights, const float* rescale,
                             const std::uint8_t* v, int groups, NextTile next, float* out,
                             int padded) {
  I sums[kQueries][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 8
    for (int d = 0; d < kVectors; ++d) sums[i][d] = splat_int(0);
  }
  const auto multiply = [&](const std::int8_t(*codes)[kTileTokens], NextTile next) {
    for (int group = 0; group < groups; ++group) {
      next.fetch<kVectors * kLanes * 4>(v + group * padded * 4);
#pragma GCC unroll 8
      for (int d = 0; d < kVectors; ++d) {
        const B values = load_codes(v + (group * padded + d * kLanes) * 4);
#pragma GCC unroll 8
        for (int i = 0; i < kQueries; ++i) {
          sums[i][d] = dot_signed(sums[i][d], values, splat_codes(codes[i] + 4 * group));
        }
      }
    }
  };
  multiply(weights.high, next);
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 8
    for (int d = 0; d < kVectors; ++d) sums[i][d] = shift_left<kWeightBits>(sums[i][d]);
  }
  multiply(weights.low, {});
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 8
    for (int d = 0; d < kVectors; ++d) {
      float* to = out + i * padded + d * kLanes;
      store(to, fma(to_float(sums[i][d]), splat(weights.units[i]), load(to) * splat(rescale[i])));
    }
  }
}

template <int kQueries>
void score_int8_keys(const Keys& keys, int query, float (*scores)[kTileTokens]) {
  constexpr int kVectors = block_vectors(kQueries, kTokenVectors);
  const QueryCodes& queries = keys.queries;
  const int padded = attention_padded_dim(keys.task.k_dim);
  const auto* codes = reinterpret_cast<const std::uint8_t*>(keys.k);
  const auto* scales = reinterpret_cast<const float*>(keys.k + kTileTokens * padded);
  keys.next.fetch<kTileTokens * sizeof(float)>(scales);
  const std::int8_t* q = queries.codes + query * padded;
  for (int first = 0; first < kTokenVectors; first += kVectors) {
    I sums[kQueries][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) {
      const int correction = kSignedWideCodes ? 0 : -128 * queries.sums[query + i];
#pragma GCC unroll 8
      for (int t = 0; t < kVectors; ++t) sums[i][t] = splat_int(correction);
    }
    for (int d = 0; d < padded; d += 4) {
      if (first == 0) keys.next.fetch<kTileTokens * 4>(codes + d * kTileTokens);
#pragma GCC unroll 8
      for (int t = 0; t < kVectors; ++t) {
        const B column = load_codes(codes + d * kTileTokens + (first + t) * kLanes * 4);
#pragma GCC unroll 8
        for (int i = 0; i < kQueries; ++i) {
          sums[i][t] = dot_wide(sums[i][t], column, splat_codes(q + i * padded + d));
        }
      }
    }
#pragma GCC unroll 8
    for (int t = 0; t < kVectors; ++t) {
      const F scale = load(scales + (first + t) * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kQueries; ++i) {
        store(&scores[i][(first + t) * kLanes],
              to_float(sums[i][t]) * (scale * splat(queries.scales[query + i])));
      }
    }
  }
}

template <int kQueries>
void add_int8_values(const Values& values, const float (*weights)[kTileTokens],
                     const float* rescale, const Range* ranges, float* out, int padded) {
  constexpr int kVectors = block_vectors(kQueries, 4);
  const auto* codes = reinterpret_cast<const std::uint8_t*>(values.v);
  const auto* scales = reinterpret_cast<const float*>(values.v + kTileTokens * padded);
  values.next.fetch<kTileTokens * sizeof(float)>(scales);
  WeightCodes<kQueries> weight_codes;
  int high = 0;
  for (int i = 0; i < kQueries; ++i) {
    weight_codes.set(i, weights[i], scales, ranges[i]);
    high = ranges[i].high > high ? ranges[i].high : high;
  }
  const int groups = (high + 3) / 4;
  int d = 0;
  for (; d + kVectors * kLanes <= padded; d += kVectors * kLanes) {
    add_int8_columns<kQueries, kVectors>(weight_codes, rescale, codes + d * 4, groups, values.next,
                                         out + d, padded);
  }
  for (; d < padded; d += kLanes) {
    add_int8_columns<kQueries, 1>(weight_codes, rescale, codes + d * 4, groups, values.next,
                                  out + d, padded);
  }
}

// The first v_dim values of K's codes as a tile of V, with K's scales: each four by four bytes
// turned (tokens of four dims become dims of four tokens), signed.  v: [8, padded v, 4], [32]
inline void transpose_codes(const std::uint8_t* k, int padded_k, int padded_v, NextTile next,
                            std::uint8_t* v) {
  alignas(16) static constexpr std::uint8_t kTurned[16] = {0, 4, 8,  12, 1, 5, 9,  13,
                                                           2, 6, 10, 14, 3, 7, 11, 15};
  alignas(16) static constexpr std::uint8_t kOffsets[16] = {128, 128, 128, 128, 128, 128, 128, 128,
                                                            128, 128, 128, 128, 128, 128, 128, 128};
  const B turned = load_table(kTurned), offset = load_table(kOffsets);
  std::memcpy(v + kTileTokens * padded_v, k + kTileTokens * padded_k, kTileTokens * sizeof(float));
  for (int d = 0; d < padded_v; d += 4, k += kTileTokens * 4) {
    next.fetch<kTileTokens * 4>(k);
    for (int token = 0; token < kTileTokens; token += kLanes) {
      alignas(64) std::uint8_t codes[4 * kLanes];
      const B block = look_up(load_codes(k + token * 4), turned) ^ offset;
      std::memcpy(codes, &block, sizeof block);
      for (int i = 0; i < kLanes; i += 4) {
        std::memcpy(v + ((token + i) / 4 * padded_v + d) * 4, codes + 4 * i, 16);
      }
    }
  }
}
