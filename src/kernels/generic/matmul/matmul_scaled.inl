// Products of codes of a byte that have their scales beside them, with activations in float32:
//   sum += (sum of code * x over even places of the group + that over odd ones) * scale
// Two sums, because one chain of fma would be slower than memory.
// Included once per instruction set, after matmul_float.inl (see cpu/*.cc).

struct E4m3Fours {  // four codes of a row side by side; they come as floats 2^120 times smaller
  // Sums of such floats would be denormal: activations are raised before they are multiplied.
  static constexpr float kRaise = 0x1p64f;
  static constexpr float kUnit = 0x1p56f;
  static inline void load(const std::uint8_t* codes, F (&w)[4]) { load_e4m3(codes, w); }
};
struct SignedFours {  // all rows of one place, then all of the next
  static constexpr float kRaise = 1;
  static constexpr float kUnit = 1;
  static inline void load(const std::uint8_t* codes, F (&w)[4]) {
    for (int i = 0; i < 4; ++i) {
      w[i] = load_i8(reinterpret_cast<const std::int8_t*>(codes) + i * kLanes);
    }
  }
};

// kIsRaised: what multiply() is given as activations is raised already.
template <typename Fours, bool kIsRaised>
struct ScaledCore {
  static constexpr int kColumnsMax = 4;
  static constexpr int kUnpackTokensMin = 0;
  static constexpr bool kLooksAheadAlone = true;

  template <int kTiles, int kColumns>
  struct Parts {
    Sums<kTiles, kColumns> even, odd;
  };

  // `count` rows of x, raised, in the task's scratch.
  static const std::byte* read_tokens(const MatmulTask& task, const std::byte* x, int count,
                                      std::size_t& stride) {
    if constexpr (!kIsRaised || Fours::kRaise == 1) return x;
    const auto columns = static_cast<std::size_t>(task.columns);
    const std::size_t row = (columns + kLanes - 1) / kLanes * kLanes;
    auto* to = reinterpret_cast<float*>(task.scratch);
    for (int c = 0; c < count; ++c, to += row, x += stride) {
      const auto* from = reinterpret_cast<const float*>(x);
      std::size_t k = 0;
      for (; k + kLanes <= columns; k += kLanes) {
        store(to + k, load(from + k) * splat(Fours::kRaise));
      }
      for (; k < columns; ++k) to[k] = from[k] * Fours::kRaise;
    }
    stride = row * sizeof(float);
    return task.scratch;
  }

  // The first `count` of the columns [k, k + 4) of the group.
  template <int kTiles, int kColumns>
  static inline __attribute__((always_inline)) void add_four(const std::uint8_t* codes,
                                                             std::size_t stride,
                                                             const std::byte* x,
                                                             std::size_t x_stride, int k, int count,
                                                             Parts<kTiles, kColumns>& parts) {
    F w[kTiles][4];
    for (int t = 0; t < kTiles; ++t) {
      Fours::load(codes + static_cast<std::size_t>(t) * stride, w[t]);
    }
    for (int i = 0; i < 4 && i < count; ++i) {
      for (int c = 0; c < kColumns; ++c) {
        F value = splat(token_row<float>(x, x_stride, c)[k + i]);
        if constexpr (!kIsRaised && Fours::kRaise != 1) value = value * splat(Fours::kRaise);
        for (int t = 0; t < kTiles; ++t) {
          F& sum = (i % 2 == 0 ? parts.even : parts.odd).of[t][c];
          sum = fma(w[t][i], value, sum);
        }
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
        for (; k + 4 <= stop; k += 4, at += 4 * kLanes) {
          add_four(at, tiles.stride, x, x_stride, k, 4, parts);
        }
        if (k < stop) {
          add_four(at, tiles.stride, x, x_stride, k, stop - k, parts);
          k = stop;
          at += 4 * kLanes;
        }
      }
      for (int t = 0; t < kTiles; ++t) {
        const std::uint8_t* of_tile = scales + static_cast<std::size_t>(t) * tiles.stride;
        const F scale = load(reinterpret_cast<const float*>(of_tile)) * splat(Fours::kUnit);
        for (int c = 0; c < kColumns; ++c) {
          sums.of[t][c] =
              fma(parts.even.of[t][c] + parts.odd.of[t][c], scale, sums.of[t][c]);
        }
      }
    }
  }
};

template <typename Fours>
void matmul_scaled(const MatmulTask& task) {
  // Room for kColumnsMax rows of floats, which there is from 32 columns on.
  if (task.scratch != nullptr && task.columns >= 32) return matmul<ScaledCore<Fours, true>>(task);
  matmul<ScaledCore<Fours, false>>(task);
}
