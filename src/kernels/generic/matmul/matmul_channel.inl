// Products of int8 weights with one scale per row and int8 activations with one scale per token:
//   out = float(sum of code * x) * (row scale * token scale)
// All sums over K are integers, hence exact in any order. Weight codes are stored unsigned (code +
// 128), so the sum starts at -128 * sum(x), unless this machine takes them as signed.
// Included once per instruction set, after matmul_float.inl (see cpu/*.cc).

struct ChannelCore {
  static constexpr int kColumnsMax = kFloatColumns;  // one sum per output here as there
  static constexpr int kUnpackTokensMin = 0;         // nothing to unpack

  template <int kTiles, int kColumns>
  static inline void multiply(const Tiles& tiles, const std::byte* x, std::size_t x_stride,
                              int columns, Sums<kTiles, kColumns>& sums, Ahead& ahead) {
    const auto token = [&](int c) -> const ChannelToken& {
      return *reinterpret_cast<const ChannelToken*>(x + static_cast<std::size_t>(c) * x_stride);
    };
    I dots[kTiles][kColumns];
    for (int c = 0; c < kColumns; ++c) {
      const I start = splat_int(kSignedWideCodes ? 0 : token(c).negative_sum);
      for (int t = 0; t < kTiles; ++t) dots[t][c] = shift_left<7>(start);
    }
    const int lines = ahead.lines_per_step(kTiles * kStepColumns * kLanes);
    const auto* codes =
        reinterpret_cast<const std::uint8_t*>(tiles.first) + kLanes * sizeof(float);
    for (int begin = 0; begin < columns; begin += kStepColumns) {
      ahead.step(lines);
      const int end = begin + kStepColumns < columns ? begin + kStepColumns : columns;
#pragma GCC unroll 2
      for (int k = begin; k < end; k += 4, codes += 4 * kLanes) {
        B w[kTiles];
        for (int t = 0; t < kTiles; ++t) {
          w[t] = load_codes(codes + static_cast<std::size_t>(t) * tiles.stride);
        }
        for (int c = 0; c < kColumns; ++c) {
          const X4 four = splat_codes(token(c).codes() + k);
          for (int t = 0; t < kTiles; ++t) dots[t][c] = dot_wide(dots[t][c], w[t], four);
        }
      }
    }
    for (int t = 0; t < kTiles; ++t) {
      const F scale = load(reinterpret_cast<const float*>(tiles.at(t)));
      for (int c = 0; c < kColumns; ++c) {
        sums.of[t][c] = to_float(dots[t][c]) * (scale * splat(token(c).scale));
      }
    }
  }
};
