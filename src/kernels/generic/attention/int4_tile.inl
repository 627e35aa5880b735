// Scores and weighted sums over a tile of 32 tokens whose K or V are codes of 4 bits with a scale
// and a minimum per token and 32 values of a head: value = min + scale * code. Layouts:
// kernel_table.h. As with int8, products are sums of integers; a query's codes meet the codes of
// each 32 values, and their sum the minimum. Of V the minimum of a token, times its weight, is the
// same for 32 outputs: it is summed apart, over the tokens that the query sees.
// Included once per instruction set, after int8_tile.inl (see cpu/*.cc).

constexpr int kNibbleGroup = 32;  // values with a scale
static_assert(kNibbleGroup == kKvGroupValues);

inline int nibble_groups(int dim) { return (dim + kNibbleGroup - 1) / kNibbleGroup; }

// What follows the codes of a head: [groups, 32 tokens] scales, then as many minima, in bfloat16.
inline const std::uint16_t* nibble_scales(const std::byte* tile, int groups) {
  return reinterpret_cast<const std::uint16_t*>(tile + groups * kNibbleGroup / 2 * kTileTokens);
}

// One group of up to 32 values; codes of what is not there are zero.
inline void quantize_group(const float* x, int count, std::int8_t* codes, std::uint16_t* scale,
                           std::uint16_t* least) {
  constexpr float kMost = std::numeric_limits<float>::max();
  F low = splat(kMost), high = splat(-kMost);
  for (int i = 0; i < count; i += kLanes) {
    F from;
    if (i + kLanes <= count) {
      from = load(x + i);
    } else {
      alignas(64) float some[kLanes];
      for (int j = 0; j < kLanes; ++j) some[j] = x[i + j < count ? i + j : i];
      from = load(some);
    }
    low = min(low, from);
    high = max(high, from);
  }
  const float lowest = 0.0f - max_lane(splat(0) - low);  // never -0, whatever the order of lanes
  const float range = max_lane(high) - lowest;
  *least = float_to_bf16(lowest);
  *scale = float_to_bf16(range / 15);
  const float base = bf16_to_float(*least), step = bf16_to_float(*scale);
  const F inverse = splat(step < 1e-30f ? 0 : 1 / step);
  for (int i = 0; i < count; i += kLanes) {
    const int rest = count - i < kLanes ? count - i : kLanes;
    const F from = rest < kLanes ? load_partial(x + i, rest) : load(x + i);
    const F code = min(max((from - splat(base)) * inverse, splat(0)), splat(15));
    alignas(64) std::int8_t some[kLanes];
    store_codes(some, round_to_int(code));
    std::memcpy(codes + i, some, static_cast<std::size_t>(rest));
  }
}

// codes: [padded to 32], one in a byte; scales, minima: [groups], NaN if an x is not finite.
void quantize_nibbles(const float* x, int count, std::int8_t* codes, std::uint16_t* scales,
                      std::uint16_t* minima) {
  const int groups = nibble_groups(count);
  std::memset(codes, 0, static_cast<std::size_t>(groups * kNibbleGroup));
  if (largest_bits(x, count) >= 0x7F800000) {
    for (int g = 0; g < groups; ++g) scales[g] = minima[g] = 0x7FC0;
    return;
  }
  for (int g = 0, at = 0; g < groups; ++g, at += kNibbleGroup) {
    const int rest = count - at < kNibbleGroup ? count - at : kNibbleGroup;
    quantize_group(x + at, rest, codes + at, scales + g, minima + g);
  }
}

// K: [padded / 8, 32 tokens, 4] bytes: the low nibbles hold four values, the high ones the next.
template <int kQueries>
void score_int4_keys(const Keys& keys, int query, float (*scores)[kTileTokens]) {
  constexpr int kVectors = block_vectors(kQueries, kTokenVectors < 2 ? kTokenVectors : 2);
  const QueryCodes& queries = keys.queries;
  const int groups = nibble_groups(keys.task.k_dim), padded = groups * kNibbleGroup;
  const auto* codes = reinterpret_cast<const std::uint8_t*>(keys.k);
  const std::uint16_t* scales = nibble_scales(keys.k, groups);
  const std::uint16_t* minima = scales + groups * kTileTokens;
  const std::int8_t* q = queries.codes + query * padded;
  for (int first = 0; first < kTokenVectors; first += kVectors) {
    F totals[kQueries][kVectors];
    for (int i = 0; i < kQueries; ++i) {
      for (int t = 0; t < kVectors; ++t) totals[i][t] = splat(0);
    }
    for (int group = 0; group < groups; ++group) {
      I sums[kQueries][kVectors];
#pragma GCC unroll 8
      for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 8
        for (int t = 0; t < kVectors; ++t) sums[i][t] = splat_int(0);
      }
      for (int d = group * kNibbleGroup; d < (group + 1) * kNibbleGroup; d += 8) {
        if (first == 0) keys.next.fetch<kTileTokens * 4>(codes + d / 2 * kTileTokens);
#pragma GCC unroll 8
        for (int t = 0; t < kVectors; ++t) {
          const B both = load_codes(codes + d / 2 * kTileTokens + (first + t) * kLanes * 4);
          const B low = low_nibbles(both), high = high_nibbles(both);
#pragma GCC unroll 8
          for (int i = 0; i < kQueries; ++i) {
            sums[i][t] = dot(sums[i][t], low, splat_codes(q + i * padded + d));
            sums[i][t] = dot(sums[i][t], high, splat_codes(q + i * padded + d + 4));
          }
        }
      }
#pragma GCC unroll 8
      for (int t = 0; t < kVectors; ++t) {
        const int at = group * kTileTokens + (first + t) * kLanes;
        const F scale = load_bf16(scales + at), least = load_bf16(minima + at);
#pragma GCC unroll 8
        for (int i = 0; i < kQueries; ++i) {
          const auto sum = static_cast<float>(queries.sums[(query + i) * groups + group]);
          totals[i][t] = fma(to_float(sums[i][t]), scale, fma(least, splat(sum), totals[i][t]));
        }
      }
    }
    for (int i = 0; i < kQueries; ++i) {
      const F scale = splat(queries.scales[query + i]);
      for (int t = 0; t < kVectors; ++t) {
        store(&scores[i][(first + t) * kLanes], totals[i][t] * scale);
      }
    }
  }
}

// V: [8 groups of four tokens, padded / 2, 4] bytes: of each 32 values the first 16 lie in the low
// nibbles, the others in the high ones. One group of values for kQueries queries.
template <int kQueries>
inline void add_int4_group(const WeightCodes<kQueries>& weights, const float* rescale,
                           const float* least, const std::uint8_t* v, int stride, int groups,
                           NextTile next, float* out, int padded, bool has_second) {
  for (int d = 0; d < kNibbleGroup / 2; d += kLanes) {
    I low[kQueries], high[kQueries];
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) low[i] = high[i] = splat_int(0);
    const auto multiply = [&](const std::int8_t(*codes)[kTileTokens], NextTile next) {
      for (int group = 0; group < groups; ++group) {
        next.fetch<kLanes * 4>(v + (group * stride + d) * 4);
        const B both = load_codes(v + (group * stride + d) * 4);
        const B first = low_nibbles(both), second = high_nibbles(both);
#pragma GCC unroll 8
        for (int i = 0; i < kQueries; ++i) {
          low[i] = dot(low[i], first, splat_codes(codes[i] + 4 * group));
          high[i] = dot(high[i], second, splat_codes(codes[i] + 4 * group));
        }
      }
    };
    multiply(weights.high, next);
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) {
      low[i] = shift_left<kWeightBits>(low[i]);
      high[i] = shift_left<kWeightBits>(high[i]);
    }
    multiply(weights.low, {});
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) {
      const F unit = splat(weights.units[i]), keep = splat(rescale[i]), base = splat(least[i]);
      float* to = out + i * padded + d;
      store(to, fma(to_float(low[i]), unit, fma(load(to), keep, base)));
      if (!has_second) continue;
      to += kNibbleGroup / 2;
      store(to, fma(to_float(high[i]), unit, fma(load(to), keep, base)));
    }
  }
}

// The sum of weight * minimum over the tokens of the range, in an order of its own.
inline float sum_minima(const float* weights, const std::uint16_t* minima, Range range) {
  F sums[kSumVectors];
  for (int v = 0; v < kSumVectors; ++v) {
    const F product = load(weights + v * kLanes) * load_bf16(minima + v * kLanes);
    sums[v] = range.is_whole() ? product : within(range, v, product, splat(0));
  }
  return sum_side_by_side(sums);
}

template <int kQueries>
void add_int4_values(const Values& values, const float (*weights)[kTileTokens],
                     const float* rescale, const Range* ranges, float* out, int padded) {
  const int groups = nibble_groups(values.task.v_dim);
  const auto* codes = reinterpret_cast<const std::uint8_t*>(values.v);
  const std::uint16_t* scales = nibble_scales(values.v, groups);
  const std::uint16_t* minima = scales + groups * kTileTokens;
  int high = 0;
  for (int i = 0; i < kQueries; ++i) high = ranges[i].high > high ? ranges[i].high : high;
  for (int group = 0; group < groups; ++group) {
    WeightCodes<kQueries> weight_codes;
    alignas(64) float scale[kTileTokens];
    float least[kQueries];
    for (int t = 0; t < kTileTokens; t += kLanes) {
      store(scale + t, load_bf16(scales + group * kTileTokens + t));
    }
    for (int i = 0; i < kQueries; ++i) {
      weight_codes.set(i, weights[i], scale, ranges[i]);
      least[i] = sum_minima(weights[i], minima + group * kTileTokens, ranges[i]);
    }
    add_int4_group<kQueries>(weight_codes, rescale, least, codes + group * kNibbleGroup / 2 * 4,
                             groups * kNibbleGroup / 2, (high + 3) / 4, values.next,
                             out + group * kNibbleGroup, padded,
                             group * kNibbleGroup + kNibbleGroup / 2 < padded);
  }
}

// k: [padded to 32, 32] as floats, for values that are a part of the keys.
inline void widen_int4_keys(const Keys& keys, float* k) {
  const int groups = nibble_groups(keys.task.k_dim);
  const auto* codes = reinterpret_cast<const std::uint8_t*>(keys.k);
  const std::uint16_t* scales = nibble_scales(keys.k, groups);
  const std::uint16_t* minima = scales + groups * kTileTokens;
  for (int d = 0; d < groups * kNibbleGroup; d += 8) {
    keys.next.fetch<kTileTokens * 4>(codes + d / 2 * kTileTokens);
    for (int t = 0; t < kTileTokens; t += kLanes) {
      const int at = d / kNibbleGroup * kTileTokens + t;
      const F scale = load_bf16(scales + at), least = load_bf16(minima + at);
      const B both = load_codes(codes + d / 2 * kTileTokens + t * 4);
      float* to = k + d * kTileTokens + t;
      for (const B four : {low_nibbles(both), high_nibbles(both)}) {
        I bytes;
        std::memcpy(&bytes, &four, sizeof bytes);
        const auto put = [&](int i, I code) {
          store(to + i * kTileTokens, fma(to_float(shift_right<24>(code)), scale, least));
        };
        put(0, shift_left<24>(bytes));
        put(1, shift_left<16>(bytes));
        put(2, shift_left<8>(bytes));
        put(3, bytes);
        to += 4 * kTileTokens;
      }
    }
  }
}
