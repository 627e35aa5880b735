// Products of floating-point weights. f32 and f16 tiles are [K][kLanes], multiplied in float32 with
// float32 activations; bf16 tiles are [K/2][kLanes][2], with activations rounded to bf16 (K is
// padded with zeros to an even number on both sides).

inline F load_weights(const float* p) { return load(p); }
inline F load_weights(const std::uint16_t* p) { return load_half(p); }

template <typename Element>
struct WideCore {
  template <int kTiles, int kColumns>
  static inline void multiply(const std::byte* weights, std::size_t bytes_per_tile,
                              const std::byte* x, std::size_t x_stride, int columns,
                              Sums<kTiles, kColumns>& sums) {
    sums.clear();
    for (int k = 0; k < columns; ++k) {
      F w[kTiles];
      for (int t = 0; t < kTiles; ++t) {
        const std::byte* tile = weights + static_cast<std::size_t>(t) * bytes_per_tile;
        w[t] = load_weights(reinterpret_cast<const Element*>(tile) + k * kLanes);
      }
      for (int c = 0; c < kColumns; ++c) {
        const F value = splat(
            reinterpret_cast<const float*>(x + static_cast<std::size_t>(c) * x_stride)[k]);
        for (int t = 0; t < kTiles; ++t) sums.of[t][c] = fma(w[t], value, sums.of[t][c]);
      }
    }
  }
};

struct Bf16Core {
  template <int kTiles, int kColumns>
  static inline void multiply(const std::byte* weights, std::size_t bytes_per_tile,
                              const std::byte* x, std::size_t x_stride, int columns,
                              Sums<kTiles, kColumns>& sums) {
    sums.clear();
    for (int k = 0; k < columns; k += 2) {
      for (int c = 0; c < kColumns; ++c) {
        const auto* pair =
            reinterpret_cast<const std::uint16_t*>(x + static_cast<std::size_t>(c) * x_stride) + k;
        for (int t = 0; t < kTiles; ++t) {
          const std::byte* tile = weights + static_cast<std::size_t>(t) * bytes_per_tile;
          sums.of[t][c] = dot_bf16(sums.of[t][c],
                                  reinterpret_cast<const std::uint16_t*>(tile) + k * kLanes, pair);
        }
      }
    }
  }
};
