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

template <typename Element>
struct WideCore {
  template <int kColumns>
  static inline void multiply(const std::byte* weights, const std::byte* x, std::size_t x_stride,
                              int columns, Sums<kColumns>& sums) {
    sums.clear();
    const auto* tile = reinterpret_cast<const Element*>(weights);
    for (int k = 0; k < columns; ++k) {
      prefetch_weights<kColumns>(tile + k * kLanes);
      const F w = load_weights(tile + k * kLanes);
      for (int c = 0; c < kColumns; ++c) {
        sums.of[c] = fma(w, splat(token_row<float>(x, x_stride, c)[k]), sums.of[c]);
      }
    }
  }
};

struct Bf16Core {
  template <int kColumns>
  static inline void multiply(const std::byte* weights, const std::byte* x, std::size_t x_stride,
                              int columns, Sums<kColumns>& sums) {
    sums.clear();
    const auto* tile = reinterpret_cast<const std::uint16_t*>(weights);
    for (int k = 0; k < columns; k += 2) {
      prefetch_weights<kColumns>(tile + k * kLanes);
      for (int c = 0; c < kColumns; ++c) {
        const std::uint16_t* pair = token_row<std::uint16_t>(x, x_stride, c) + k;
        sums.of[c] = dot_bf16(sums.of[c], tile + k * kLanes, pair);
      }
    }
  }
};
