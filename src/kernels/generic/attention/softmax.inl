// The online softmax of one tile for up to eight queries (Dao et al., "FlashAttention", 2022), and
// which of the tile's tokens a query sees. A query's arithmetic never depends on its neighbours: a
// query that sees nothing of the tile keeps its state bit for bit.
// Included once per instruction set, after the other generics (see cpu/*.cc).

constexpr int kTileTokens = 32;
constexpr int kTilesPerSplit = 256 / kTileTokens;
constexpr int kTokenVectors = kTileTokens / kLanes;
static_assert(kQueryBlockMax == 8 && kTileTokens == kSideBySide);

struct Range {  // of a query within a tile: tokens [low, high)
  int low, high;
  bool is_empty() const { return low >= high; }
  bool is_whole() const { return low == 0 && high == kTileTokens; }
};

// Of the query at `position` that sees nothing after `last`.
inline Range visible(int last, int position, int window, int tile_position) {
  const int high = last + 1 - tile_position;
  const int low = window > 0 ? position + 1 - tile_position - window : 0;
  return {low > 0 ? low : 0, high < kTileTokens ? high : kTileTokens};
}

// `x` where the lane's token is within the range, else `otherwise`, whatever x is (NaN included).
inline F within(Range range, int vector, F x, F otherwise) {
  const F token = lane_numbers() + splat(static_cast<float>(vector * kLanes));
  const F low = splat(static_cast<float>(range.low)), high = splat(static_cast<float>(range.high));
  return select_less(token, low, otherwise, select_less(token, high, x, otherwise));
}

// How far ahead the next tile of few queries lies. Blocks are scattered, so nothing else knows;
// each line that is read has its like in the next tile fetched, which spreads the requests evenly.
struct NextTile {
  std::ptrdiff_t bytes = 0;  // 0: nothing to fetch

  template <int kBytes>
  void fetch(const void* from) const {
    if (bytes == 0) return;
#pragma GCC unroll 16
    for (int at = 0; at < kBytes; at += 64) {
      fetch_line(static_cast<const char*>(from) + bytes + at);
    }
  }
};

// Turns scores into weights exp(score - peak), 0 outside the ranges; updates each query's peak and
// sum of weights; rescale: what earlier output must be multiplied with.
template <int kQueries>
inline void soften(float (*scores)[kTileTokens], const Range* ranges, float* peaks, float* sums,
                   float* rescale) {
  constexpr int kPadded = (kQueries + kLanes - 1) / kLanes * kLanes;
  const F nothing = splat(-std::numeric_limits<float>::infinity());
  alignas(64) float before[kPadded] = {}, after[kPadded] = {}, factors[kPadded];
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
    F peak = nothing;
    for (int v = 0; v < kTokenVectors; ++v) {
      F s = load(scores[i] + v * kLanes);
      if (!ranges[i].is_whole()) {
        s = within(ranges[i], v, s, nothing);
        store(scores[i] + v * kLanes, s);
      }
      peak = max(s, peak);
    }
    const float tile_peak = max_lane(peak);
    before[i] = peaks[i];
    peaks[i] = after[i] = tile_peak > peaks[i] ? tile_peak : peaks[i];
  }
  const F lowest = splat(-std::numeric_limits<float>::max());
  for (int i = 0; i < kPadded; i += kLanes) {
    // A query that has seen nothing yet: exp(-infinity - 0) is 0, without infinity - infinity.
    const F peak = load(after + i), base = select_less(peak, lowest, splat(0), peak);
    store(after + i, base);
    store(factors + i, exponential(load(before + i) - base));
  }
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
    F weights[kTokenVectors];
    for (int v = 0; v < kTokenVectors; ++v) {
      weights[v] = exponential(load(scores[i] + v * kLanes) - splat(after[i]));
      store(scores[i] + v * kLanes, weights[v]);
    }
    rescale[i] = factors[i];
    sums[i] = sums[i] * factors[i] + sum_side_by_side(weights);
  }
}
