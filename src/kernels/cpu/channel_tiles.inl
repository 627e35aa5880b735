// Products of int8 weights with one scale per row (matmul_channel.inl) through tile registers: the
// same integers, hence the same bits. All of K is summed in the registers, so that vectors are only
// needed at its end. Two tiles of weights share the activations of up to 32 tokens: two registers
// of each, and four of sums. Included once, after tile_registers.inl.

struct ChannelTileCore {
  static constexpr int kColumnsMax = 32;
  static constexpr int kUnpackTokensMin = 0;
  static constexpr int kStep = 64;  // columns of an instruction; K is a multiple of it

  // Sums are 0..3, two of each half of the tokens; activations 4 and 5, weights 6 and 7.
  template <int kColumns>
  static constexpr TileShapes shapes() {
    TileShapes shapes;
    for (int half = 0; half < 2; ++half) {
      const int tokens = half == 0 ? (kColumns < 16 ? kColumns : 16) : kColumns - 16;
      if (tokens <= 0) continue;
      for (int t = 0; t < 2; ++t) shapes.set(2 * half + t, tokens, 4 * kLanes);
      shapes.set(4 + half, tokens, kStep);
    }
    for (int t = 0; t < 2; ++t) shapes.set(6 + t, kStep / 4, 4 * kLanes);
    return shapes;
  }

  template <int kTiles, int kColumns>
  static inline void multiply(const Tiles& tiles, const std::byte* x, std::size_t x_stride,
                              int columns, Sums<kTiles, kColumns>& sums, Ahead& ahead) {
    static constexpr TileShapes kShapes = shapes<kColumns>();
    constexpr bool kHasSecondHalf = kColumns > 16, kHasSecondTile = kTiles > 1;
    const auto token = [&](int c) -> const ChannelToken& {
      return *reinterpret_cast<const ChannelToken*>(x + static_cast<std::size_t>(c) * x_stride);
    };
    const auto codes = [&](int tile) { return tiles.at(tile) + kLanes * sizeof(float); };
    tile_configure(kShapes);  // and zeros
    const int lines = ahead.lines_per_step(kTiles * kStep * kLanes);
    for (int k = 0; k < columns; k += kStep) {
      ahead.step(lines);
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(k) * kLanes;
      tile_load<4>(token(0).codes() + k, x_stride);
      tile_load<6>(codes(0) + at, 4 * kLanes);
      tile_dot<0, 4, 6>();
      if constexpr (kHasSecondTile) {
        tile_load<7>(codes(1) + at, 4 * kLanes);
        tile_dot<1, 4, 7>();
      }
      if constexpr (kHasSecondHalf) {
        tile_load<5>(token(16).codes() + k, x_stride);
        tile_dot<2, 5, 6>();
        if constexpr (kHasSecondTile) tile_dot<3, 5, 7>();
      }
    }
    alignas(64) std::int32_t dots[kTiles][kColumns][kLanes];
    tile_store<0>(dots[0], 4 * kLanes);
    if constexpr (kHasSecondTile) tile_store<1>(dots[1], 4 * kLanes);
    if constexpr (kHasSecondHalf) {
      tile_store<2>(dots[0][16], 4 * kLanes);
      if constexpr (kHasSecondTile) tile_store<3>(dots[1][16], 4 * kLanes);
    }
    for (int t = 0; t < kTiles; ++t) {
      const F scale = load(reinterpret_cast<const float*>(tiles.at(t)));
      for (int c = 0; c < kColumns; ++c) {
        const I offset = shift_left<7>(splat_int(token(c).negative_sum));
        const F dot = to_float(add(_mm512_load_si512(dots[t][c]), offset));
        sums.of[t][c] = dot * (scale * splat(token(c).scale));
      }
    }
  }
};
// Even of few tokens the arithmetic is done before the next weights are there, from two streams.
template <>
inline constexpr int kOneTileTokensMax<ChannelTileCore> = 0;
