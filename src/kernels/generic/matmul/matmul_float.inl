// Products of floating-point weights. f32 and f16 tiles are [K][kLanes], multiplied in float32 with
// float32 activations; bf16 tiles are [K/2][kLanes][2], with activations rounded to bf16 (K is
// padded with zeros to an even number on both sides).

inline F load_weights(const float* p) { return load(p); }
inline F load_weights(const std::uint16_t* p) { return load_half(p); }

// Token c's activations as Element.
template <typename Element>
inline const Element* token_row(const std::byte* x, std::size_t stride, int c) {
  return reinterpret_cast<const Element*>(x + static_cast<std::size_t>(c) * stride);
}

constexpr int kStepColumns = 32;  // of K between two calls of Ahead::step

template <typename Element>
struct WideCore {
  static constexpr int kColumnsMax = kFloatColumns;
  static constexpr int kUnpackTokensMin = 0;

  template <int kTiles, int kColumns>
  static inline void multiply(const Tiles& tiles, const std::byte* x, std::size_t x_stride,
                              int columns, Sums<kTiles, kColumns>& sums, Ahead& ahead) {
    sums.clear();
    const int lines = ahead.lines_per_step(kTiles * kStepColumns * kLanes * int{sizeof(Element)});
    const auto* tile = reinterpret_cast<const Element*>(tiles.first);
    const std::size_t stride = tiles.stride / sizeof(Element);
    for (int begin = 0; begin < columns; begin += kStepColumns) {
      ahead.step(lines);
      const int end = begin + kStepColumns < columns ? begin + kStepColumns : columns;
      for (int k = begin; k < end; ++k, tile += kLanes) {
        F w[kTiles];
        for (int t = 0; t < kTiles; ++t) {
          w[t] = load_weights(tile + static_cast<std::size_t>(t) * stride);
        }
        for (int c = 0; c < kColumns; ++c) {
          const F value = splat(token_row<float>(x, x_stride, c)[k]);
          for (int t = 0; t < kTiles; ++t) sums.of[t][c] = fma(w[t], value, sums.of[t][c]);
        }
      }
    }
  }
};

struct Bf16Core {
  static constexpr int kColumnsMax = kFloatColumns;
  static constexpr int kUnpackTokensMin = 0;

  template <int kTiles, int kColumns>
  static inline void multiply(const Tiles& tiles, const std::byte* x, std::size_t x_stride,
                              int columns, Sums<kTiles, kColumns>& sums, Ahead& ahead) {
    sums.clear();
    const int lines = ahead.lines_per_step(kTiles * kStepColumns * kLanes * 2);
    const auto* tile = reinterpret_cast<const std::uint16_t*>(tiles.first);
    const std::size_t stride = tiles.stride / 2;
    for (int begin = 0; begin < columns; begin += kStepColumns) {
      ahead.step(lines);
      const int end = begin + kStepColumns < columns ? begin + kStepColumns : columns;
      for (int k = begin; k < end; k += 2, tile += 2 * kLanes) {
        for (int c = 0; c < kColumns; ++c) {
          const std::uint16_t* pair = token_row<std::uint16_t>(x, x_stride, c) + k;
          for (int t = 0; t < kTiles; ++t) {
            sums.of[t][c] =
                dot_bf16(sums.of[t][c], tile + static_cast<std::size_t>(t) * stride, pair);
          }
        }
      }
    }
  }
};
