// The formats of block-scaled integer weights: how a packed block (tensor/quant_blocks.h) yields
// its codes, scales and minima. One row of `using` per type; the product that reads them is the
// core of matmul_int8.inl, the same for all.
// Included once per instruction set, after its `vec` definitions (see cpu/*.cc).

template <bool kWide>
struct ByteCodes {  // kWide: codes may exceed 127
  // Calls step(s, codes of each tile) for the eight steps of a group. codes: of the first tile; the
  // others follow every `stride` bytes.
  template <int kTiles, typename Step>
  static inline __attribute__((always_inline)) void for_each(const std::uint8_t* codes,
                                                             std::size_t stride, Step step) {
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s, codes += 4 * kLanes) {
      B w[kTiles];
      for (int t = 0; t < kTiles; ++t) {
        w[t] = load_codes(codes + static_cast<std::size_t>(t) * stride);
      }
      step(s, w);
    }
  }
  static inline I accumulate(I sum, B w, X4 x) {
    return kWide ? dot_wide(sum, w, x) : dot(sum, w, x);
  }
};
struct NibbleCodes {
  template <int kTiles, typename Step>
  static inline __attribute__((always_inline)) void for_each(const std::uint8_t* codes,
                                                             std::size_t stride, Step step) {
#pragma GCC unroll 4
    for (int s = 0; s < 4; ++s, codes += 4 * kLanes) {
      B low[kTiles], high[kTiles];
      for (int t = 0; t < kTiles; ++t) {
        const B both = load_codes(codes + static_cast<std::size_t>(t) * stride);
        low[t] = low_nibbles(both);
        high[t] = high_nibbles(both);
      }
      step(s, low);
      step(s + 4, high);
    }
  }
  static inline I accumulate(I sum, B w, X4 x) { return dot(sum, w, x); }
};

struct NoMinimum {
  static constexpr bool kHasMinimum = false;
  template <typename Block>
  static inline F minimum(const Block&, int) {
    return splat(0);
  }
};
template <typename BlockType, typename CodesType, int kOffsetBits>
struct HalfScaleFormat : NoMinimum {  // Q8_0, Q5_0, Q4_0
  using Block = BlockType;
  using Codes = CodesType;
  static constexpr int kOffsetShift = kOffsetBits;
  static constexpr int kParts = 1;  // scales per group
  static inline F scale(const Block& b, int group, int) { return load_half(b.scale[group]); }
};
template <typename BlockType, typename CodesType>
struct HalfMinimumFormat {  // Q4_1, Q5_1
  using Block = BlockType;
  using Codes = CodesType;
  static constexpr bool kHasMinimum = true;
  static constexpr int kOffsetShift = 0;
  static constexpr int kParts = 1;
  static inline F scale(const Block& b, int group, int) { return load_half(b.scale[group]); }
  static inline F minimum(const Block& b, int group) { return load_half(b.minimum[group]); }
};
template <typename BlockType, typename CodesType>
struct SuperMinimumFormat {  // Q4_K, Q5_K
  using Block = BlockType;
  using Codes = CodesType;
  static constexpr bool kHasMinimum = true;
  static constexpr int kOffsetShift = 0;
  static constexpr int kParts = 1;
  static inline F scale(const Block& b, int group, int) {
    return load_half(b.d) * load_u8(b.scale[group]);
  }
  static inline F minimum(const Block& b, int group) {
    return load_half(b.dmin) * load_u8(b.minimum[group]);
  }
};
struct FormatQ6_K : NoMinimum {
  using Block = PackedQ6_K<kLanes>;
  using Codes = ByteCodes<false>;
  static constexpr int kOffsetShift = 5;
  static constexpr int kParts = 2;
  static inline F scale(const Block& b, int group, int part) {
    return load_half(b.d) * load_i8(b.scale[2 * group + part]);
  }
};

using FormatQ8_0 = HalfScaleFormat<PackedByteBlock<kLanes>, ByteCodes<true>, 7>;
using FormatQ5_0 = HalfScaleFormat<PackedByteBlock<kLanes>, ByteCodes<false>, 4>;
using FormatQ4_0 = HalfScaleFormat<PackedNibbleBlock<kLanes>, NibbleCodes, 3>;
using FormatQ5_1 = HalfMinimumFormat<PackedByteMinBlock<kLanes>, ByteCodes<false>>;
using FormatQ4_1 = HalfMinimumFormat<PackedNibbleMinBlock<kLanes>, NibbleCodes>;
using FormatQ5_K = SuperMinimumFormat<PackedQ5_K<kLanes>, ByteCodes<false>>;
using FormatQ4_K = SuperMinimumFormat<PackedQ4_K<kLanes>, NibbleCodes>;
