// Products of block-scaled integer weights with int8 activations. Within a group of 32 all sums are
// integers, hence exact in any order; across groups one float fma per scale, in order of K:
//   sum += float(dot(codes, x) - offset * sum(x)) * (weight scale * x scale)
//   sum -= minimum * (x scale * sum(x))               (types with a stored minimum)
// A Format says how a packed block yields codes, scales and minima; there is one core for all.

template <bool kWide>
struct ByteCodes {  // kWide: codes may exceed 127
  template <int kColumns, typename Step>
  static inline __attribute__((always_inline)) void for_each(const std::uint8_t* codes, Step step) {
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      prefetch_weights<kColumns>(codes + s * 4 * kLanes);
      step(s, load_codes(codes + s * 4 * kLanes));
    }
  }
  static inline I accumulate(I sum, B w, X4 x) {
    return kWide ? dot_wide(sum, w, x) : dot(sum, w, x);
  }
};
struct NibbleCodes {
  template <int kColumns, typename Step>
  static inline __attribute__((always_inline)) void for_each(const std::uint8_t* codes, Step step) {
#pragma GCC unroll 4
    for (int s = 0; s < 4; ++s) {
      prefetch_weights<kColumns>(codes + s * 4 * kLanes);
      const B both = load_codes(codes + s * 4 * kLanes);
      step(s, low_nibbles(both));
      step(s + 4, high_nibbles(both));
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
  static inline F scale(const Block& b, int, int) { return load_half(b.scale); }
  static inline F minimum(const Block& b, int) { return load_half(b.minimum); }
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

// -offset * sum(x) for part `part` of a group, where the integer sum starts.
template <typename Format>
inline I starting_sum(const ActivationBlock& x, int part) {
  if constexpr (Format::kOffsetShift == 0) return splat_int(0);
  // Where wide codes are taken as signed the offset is already inside them.
  if constexpr (kSignedWideCodes && Format::kOffsetShift == 7) return splat_int(0);
  I sum = splat_int(part == 0 && Format::kParts == 2 ? x.negative_sum_first : x.negative_sum);
  if (part == 1) sum = subtract(sum, splat_int(x.negative_sum_first));
  return shift_left<Format::kOffsetShift>(sum);
}

template <typename Format>
struct Int8Core {
  using Block = typename Format::Block;

  // One group of one tile against kColumns tokens.
  template <int kColumns>
  static inline __attribute__((always_inline)) void add_group(const Block& block, int group,
                                                              const std::byte* x,
                                                              std::size_t stride, F* sums) {
    constexpr int kParts = Format::kParts;
    const auto token = [&](int c) -> const ActivationBlock& {
      return *reinterpret_cast<const ActivationBlock*>(x + static_cast<std::size_t>(c) * stride);
    };
    I dots[kParts][kColumns];
    for (int part = 0; part < kParts; ++part) {
      for (int c = 0; c < kColumns; ++c) dots[part][c] = starting_sum<Format>(token(c), part);
    }
    Format::Codes::template for_each<kColumns>(
        &block.codes[group][0][0][0], [&](int step, B codes) {
          const int part = kParts == 2 ? step / 4 : 0;
          for (int c = 0; c < kColumns; ++c) {
            dots[part][c] = Format::Codes::accumulate(dots[part][c], codes,
                                                      splat_codes(token(c).codes + 4 * step));
          }
        });
    for (int part = 0; part < kParts; ++part) {
      const F scale = Format::scale(block, group, part);
      for (int c = 0; c < kColumns; ++c) {
        sums[c] = fma(to_float(dots[part][c]), scale * splat(token(c).scale), sums[c]);
      }
    }
    if constexpr (Format::kHasMinimum) {
      const F minimum = splat(0) - Format::minimum(block, group);
      for (int c = 0; c < kColumns; ++c) {
        sums[c] = fma(minimum, splat(token(c).scaled_sum), sums[c]);
      }
    }
  }

  template <int kColumns>
  static inline void multiply(const std::byte* weights, const std::byte* x, std::size_t x_stride,
                              int columns, Sums<kColumns>& sums) {
    sums.clear();
    const int groups = columns / 32;
    for (int first = 0; first < groups; first += Block::kGroups, weights += sizeof(Block)) {
      const auto& block = *reinterpret_cast<const Block*>(weights);
      const int count = groups - first < Block::kGroups ? groups - first : Block::kGroups;
      for (int group = 0; group < count; ++group, x += sizeof(ActivationBlock)) {
        add_group<kColumns>(block, group, x, x_stride, sums.of);
      }
    }
  }
};
