// The formats of block-scaled integer weights: how a packed block (tensor/quant_blocks.h) yields
// its codes, scales and minima. One row of `using` per type; the product that reads them is the
// core of matmul_int8.inl, the same for all.
// Included once per instruction set, after its `vec` definitions (see cpu/*.cc).

template <bool kWide>
struct ByteCodes {  // kWide: codes may exceed 127
  static constexpr bool kIsWide = kWide;
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
  static constexpr bool kIsWide = false;
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

// Nibbles that stand for the values of a table. kWide as for ByteCodes.
template <const std::uint8_t (&kTable)[16], bool kWide>
struct TableNibbleCodes {
  static constexpr bool kIsWide = kWide;
  template <int kTiles, typename Step>
  static inline __attribute__((always_inline)) void for_each(const std::uint8_t* codes,
                                                             std::size_t stride, Step step) {
    const B table = load_table(kTable);
    NibbleCodes::for_each<kTiles>(codes, stride, [&](int s, const B* nibbles) {
      B w[kTiles];
      for (int t = 0; t < kTiles; ++t) w[t] = look_up(table, nibbles[t]);
      step(s, w);
    });
  }
  static inline I accumulate(I sum, B w, X4 x) {
    return ByteCodes<kWide>::accumulate(sum, w, x);
  }
};
// The same for two scales a group, whose steps must come in order: step 2s in the low halves and
// 2s + 1 in the high ones.
template <const std::uint8_t (&kTable)[16]>
struct TableNibblePairs {
  static constexpr bool kIsWide = false;
  template <int kTiles, typename Step>
  static inline __attribute__((always_inline)) void for_each(const std::uint8_t* codes,
                                                             std::size_t stride, Step step) {
    const B table = load_table(kTable);
#pragma GCC unroll 4
    for (int s = 0; s < 4; ++s, codes += 4 * kLanes) {
      B low[kTiles], high[kTiles];
      for (int t = 0; t < kTiles; ++t) {
        const B both = load_codes(codes + static_cast<std::size_t>(t) * stride);
        low[t] = look_up(table, low_nibbles(both));
        high[t] = look_up(table, high_nibbles(both));
      }
      step(2 * s, low);
      step(2 * s + 1, high);
    }
  }
  static inline I accumulate(I sum, B w, X4 x) { return dot(sum, w, x); }
};
// Two bits a code, four steps in a byte; with kHasThirdBits a vector of third bits follows, bit s
// for step s.
template <bool kHasThirdBits>
struct TwoBitCodes {
  static constexpr bool kIsWide = false;
  template <int kTiles, typename Step>
  static inline __attribute__((always_inline)) void for_each(const std::uint8_t* codes,
                                                             std::size_t stride, Step step) {
#pragma GCC unroll 2
    for (int s = 0; s < 8; s += 4) {
      B four[kTiles], third[kTiles] = {};  // without third bits the compiler drops the zeros
      for (int t = 0; t < kTiles; ++t) {
        const std::uint8_t* tile = codes + static_cast<std::size_t>(t) * stride;
        four[t] = load_codes(tile + s * kLanes);
        if constexpr (kHasThirdBits) {
          third[t] = load_codes(tile + 8 * kLanes);
          if (s == 4) third[t] = high_nibbles(third[t]);
        }
      }
      const auto take = [&](int number, const auto& code) {
        B w[kTiles];
        for (int t = 0; t < kTiles; ++t) w[t] = code(four[t], third[t]);
        step(number, w);
      };
      take(s, code_of<0, -2>);
      take(s + 1, code_of<2, -1>);
      take(s + 2, code_of<4, 0>);
      take(s + 3, code_of<6, 1>);
    }
  }
  static inline I accumulate(I sum, B w, X4 x) { return dot(sum, w, x); }

 private:
  template <int kShift, int kThirdShift>
  static inline B code_of(B four, B third) {
    const B low = shift_bits<kShift, 3>(four);
    return kHasThirdBits ? low | shift_bits<kThirdShift, 4>(third) : low;
  }
};

// What minimum(block, group, part) is multiplied with. The last part's minimum holds for the whole
// group, whose sum activations bring along; that of a first half is what it has beyond the last's.
template <int kParts>
inline F scaled_sum(const ActivationBlock& x, int part) {
  if (part == kParts - 1) return splat(x.scaled_sum);
  const I first = subtract(splat_int(0), splat_int(x.offset_sum_first));
  return to_float(shift_right_signed<7>(first)) * splat(x.scale);
}

struct NoMinimum {
  static constexpr bool kHasMinimum = false;
  template <typename Block>
  static inline F minimum(const Block&, int, int) {
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
  static inline F minimum(const Block& b, int group, int) { return load_half(b.minimum[group]); }
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
  static inline F minimum(const Block& b, int group, int) {
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
struct FormatQ2_K {
  using Block = PackedQ2_K<kLanes>;
  using Codes = TwoBitCodes<false>;
  static constexpr bool kHasMinimum = true;
  static constexpr int kOffsetShift = 0;
  static constexpr int kParts = 2;
  static inline F scale(const Block& b, int group, int part) {
    return load_half(b.d) * load_low_nibbles(b.scales[2 * group + part]);
  }
  static inline F minimum(const Block& b, int group, int part) {
    const F last = load_high_nibbles(b.scales[2 * group + 1]);
    return load_half(b.dmin) *
           (part == 1 ? last : load_high_nibbles(b.scales[2 * group]) - last);
  }
};
struct FormatMXFP4 : NoMinimum {
  using Block = PackedMXFP4<kLanes>;
  using Codes = TableNibbleCodes<kTableMXFP4, false>;
  static constexpr int kOffsetShift = 4;
  static constexpr int kParts = 1;
  static inline F scale(const Block& b, int group, int) {  // as exponent_to_float (float_bits.h)
    const I exponent = round_to_int(load_u8(b.exponent[group]));
    return as_float(max_int(shift_left<23>(exponent), splat_int(1 << 22))) * splat(0.5f);
  }
};
struct FormatNVFP4 : NoMinimum {
  using Block = PackedNVFP4<kLanes>;
  using Codes = TableNibblePairs<kTableMXFP4>;
  static constexpr int kOffsetShift = 4;
  static constexpr int kParts = 2;
  static inline F scale(const Block& b, int group, int part) {
    const F code = load_u8(b.scale[2 * group + part]);
    const I exponent_and_rest = shift_left<20>(round_to_int(code));
    const F normal = as_float(add(exponent_and_rest, splat_int(120 << 23)));
    return load(b.d) * select_less(code, splat(8), code * splat(0x1p-9f), normal);
  }
};
struct FormatQ4_Z {
  using Block = PackedQ4_Z<kLanes>;
  using Codes = NibbleCodes;
  static constexpr bool kHasMinimum = true;
  static constexpr int kOffsetShift = 0;
  static constexpr int kParts = 1;
  static inline F scale(const Block& b, int group, int) { return load_half(b.scale[group]); }
  static inline F minimum(const Block& b, int group, int) {
    return load_half(b.scale[group]) * load_u8(b.zero[group]);
  }
};
struct FormatQ4_F {
  using Block = PackedQ4_F<kLanes>;
  using Codes = NibbleCodes;
  static constexpr bool kHasMinimum = true;
  static constexpr int kOffsetShift = 0;
  static constexpr int kParts = 1;
  static inline F scale(const Block& b, int, int) { return load(b.scale); }
  static inline F minimum(const Block& b, int, int) { return load(b.minimum); }
};
template <typename BlockType, typename CodesType, int kOffsetBits, int kPartsPerGroup>
struct SubScaleFormat : NoMinimum {  // Q3_K, IQ4_XS, the codebook types
  using Block = BlockType;
  using Codes = CodesType;
  static constexpr int kOffsetShift = kOffsetBits;
  static constexpr int kParts = kPartsPerGroup;
  static inline F scale(const Block& b, int group, int part) {
    return load(b.d) * load_i8(b.scale[kParts * group + part]);
  }
};

using FormatQ8_0 = HalfScaleFormat<PackedByteBlock<kLanes>, ByteCodes<true>, 7>;
using FormatQ5_0 = HalfScaleFormat<PackedByteBlock<kLanes>, ByteCodes<false>, 4>;
using FormatQ4_0 = HalfScaleFormat<PackedNibbleBlock<kLanes>, NibbleCodes, 3>;
using FormatQ5_1 = HalfMinimumFormat<PackedByteMinBlock<kLanes>, ByteCodes<false>>;
using FormatQ4_1 = HalfMinimumFormat<PackedNibbleMinBlock<kLanes>, NibbleCodes>;
using FormatQ5_K = SuperMinimumFormat<PackedQ5_K<kLanes>, ByteCodes<false>>;
using FormatQ4_K = SuperMinimumFormat<PackedQ4_K<kLanes>, NibbleCodes>;
using CodesIQ4 = TableNibbleCodes<kTableIQ4, true>;
using FormatIQ4_NL = HalfScaleFormat<PackedNibbleBlock<kLanes>, CodesIQ4, 7>;
using FormatIQ4_XS = SubScaleFormat<PackedIQ4_XS<kLanes>, CodesIQ4, 7, 1>;
using FormatQ3_K = SubScaleFormat<PackedQ3_K<kLanes>, TwoBitCodes<true>, 2, 2>;
using FormatSignedBlock = SubScaleFormat<PackedSignedBlock<kLanes>, ByteCodes<false>, 6, 2>;
