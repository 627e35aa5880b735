// Products of codes of a byte that have their scales beside them, with activations in float32:
//   sum += (sum of code * x over even places of the group + that over odd ones) * scale
// Two sums, because one chain of fma would be slower than memory.
// Included once per instruction set, after matmul_float.inl (see cpu/*.cc).

struct E4m3Pairs {  // two codes of a row side by side
  static constexpr float kUnit = 256;  // they come as halves, whose exponents are 8 higher
  static inline void load(const std::uint8_t* codes, F& even, F& odd) {
    load_e4m3_pairs(codes, even, odd);
  }
};
struct SignedPairs {  // all rows of one place, then all of the next
  static constexpr float kUnit = 1;
  static inline void load(const std::uint8_t* codes, F& even, F& odd) {
    even = load_i8(reinterpret_cast<const std::int8_t*>(codes));
    odd = load_i8(reinterpret_cast<const std::int8_t*>(codes) + kLanes);
  }
};

template <typename Pairs>
struct ScaledCore {
  static constexpr int kColumnsMax = 4;
  static constexpr int kUnpackTokensMin = 0;

  template <int kTiles, int kColumns>
  struct Parts {
    Sums<kTiles, kColumns> even, odd;
  };

  // The columns [k, k + 2) of the group, or only k where the group ends there.
  template <int kTiles, int kColumns>
  static inline __attribute__((always_inline)) void add_pair(const std::uint8_t* codes,
                                                             std::size_t stride,
                                                             const std::byte* x,
                                                             std::size_t x_stride, int k,
                                                             bool is_pair,
                                                             Parts<kTiles, kColumns>& parts) {
    F even[kTiles], odd[kTiles];
    for (int t = 0; t < kTiles; ++t) {
      Pairs::load(codes + static_cast<std::size_t>(t) * stride, even[t], odd[t]);
    }
    for (int c = 0; c < kColumns; ++c) {
      const float* row = token_row<float>(x, x_stride, c) + k;
      const F first = splat(row[0]);
      for (int t = 0; t < kTiles; ++t) {
        parts.even.of[t][c] = fma(even[t], first, parts.even.of[t][c]);
      }
      if (!is_pair) continue;
      const F second = splat(row[1]);
      for (int t = 0; t < kTiles; ++t) {
        parts.odd.of[t][c] = fma(odd[t], second, parts.odd.of[t][c]);
      }
    }
  }

  template <int kTiles, int kColumns>
  static inline void multiply(const Tiles& tiles, const std::byte* x, std::size_t x_stride,
                              int columns, Sums<kTiles, kColumns>& sums, Ahead& ahead) {
    sums.clear();
    const int lines = ahead.lines_per_step(kTiles * kStepColumns * kLanes);
    const int group = reinterpret_cast<const ScaledTileHeader*>(tiles.first)->group;
    const auto* at = reinterpret_cast<const std::uint8_t*>(tiles.first + sizeof(ScaledTileHeader));
    for (int begin = 0; begin < columns; begin += group) {
      const int end = begin + group < columns ? begin + group : columns;
      const std::uint8_t* scales = at;
      at += kLanes * sizeof(float);
      Parts<kTiles, kColumns> parts;
      parts.even.clear();
      parts.odd.clear();
      for (int k = begin; k < end;) {
        ahead.step(lines);
        const int stop = k + kStepColumns < end ? k + kStepColumns : end;
#pragma GCC unroll 4
        for (; k + 2 <= stop; k += 2, at += 2 * kLanes) {
          add_pair(at, tiles.stride, x, x_stride, k, true, parts);
        }
        if (k < stop) {
          add_pair(at, tiles.stride, x, x_stride, k++, false, parts);
          at += 2 * kLanes;
        }
      }
      for (int t = 0; t < kTiles; ++t) {
        const std::uint8_t* of_tile = scales + static_cast<std::size_t>(t) * tiles.stride;
        const F scale = load(reinterpret_cast<const float*>(of_tile)) * splat(Pairs::kUnit);
        for (int c = 0; c < kColumns; ++c) {
          sums.of[t][c] =
              fma(parts.even.of[t][c] + parts.odd.of[t][c], scale, sums.of[t][c]);
        }
      }
    }
  }
};
