// Products of block-scaled integer weights with int8 activations. Within a group of 32 all sums are
// integers, hence exact in any order; across groups one float fma per scale, in order of K:
//   sum += float(dot(codes, x) - offset * sum(x)) * (weight scale * x scale)
//   sum += (float(dot of 16) * its scale + float(dot of 16) * its scale) * x scale  (two parts)
//   sum -= minimum * (x scale * sum(x))               (types with a stored minimum)
// A Format (weight_formats.inl) says how a packed block yields codes, scales and minima; there is
// one core for all.

// -offset * sum(x) for part `part` of a group, where the integer sum starts.
template <typename Format>
inline I starting_sum(const ActivationBlock& x, int part) {
  if constexpr (Format::kOffsetShift == 0) return splat_int(0);
  // Where wide codes are taken as signed the offset is already inside them.
  if constexpr (kSignedWideCodes && Format::kOffsetShift == 7) return splat_int(0);
  I sum = splat_int(part == 0 && Format::kParts == 2 ? x.offset_sum_first : x.offset_sum);
  if (part == 1) sum = subtract(sum, splat_int(x.offset_sum_first));
  if constexpr (Format::kOffsetShift == 7) return sum;
  return shift_right_signed<7 - Format::kOffsetShift>(sum);
}

// A Format after unpacking: bytes for codes and float scales, whatever they were before. Where wide
// codes cost no more they are raised to the offset 128, whose sum needs no shift.
template <typename Format>
struct UnpackedFormat {
  static constexpr bool kIsRaised = !kSignedWideCodes && Format::kOffsetShift > 0;
  static constexpr int kOffsetShift = kIsRaised ? 7 : Format::kOffsetShift;
  static constexpr std::uint8_t kRaise = (1 << kOffsetShift) - (1 << Format::kOffsetShift);
  struct Block {
    static constexpr int kGroups = 1;
    F scales[Format::kParts];
    F minima[Format::kHasMinimum ? Format::kParts : 0];
    ByteGroup<kLanes> codes[1];
  };
  using Codes = ByteCodes<kIsRaised || Format::Codes::kIsWide>;
  static constexpr bool kIsUnpacked = true;
  static constexpr bool kHasMinimum = Format::kHasMinimum;
  static constexpr int kParts = Format::kParts;
  static inline F scale(const Block& b, int, int part) { return b.scales[part]; }
  static inline F minimum(const Block& b, int, int part) { return b.minima[part]; }
};

// Formats that unpacking would not make faster: bytes with one float16 scale a group, too.
template <typename Format>
inline constexpr bool kReadsAsItIs = requires { Format::kIsUnpacked; };
template <>
inline constexpr bool kReadsAsItIs<FormatQ8_0> = true;
template <>
inline constexpr bool kReadsAsItIs<FormatQ5_0> = true;

template <typename Format>
struct Int8Core {
  using Block = typename Format::Block;
  using Unpacked = Int8Core<UnpackedFormat<Format>>;
  static constexpr int kColumnsMax = Format::kParts == 1 ? kInt8Columns : kPartColumns;
  static constexpr int kUnpackTokensMin = kReadsAsItIs<Format> ? 0 : 64;

  static constexpr std::size_t tile_bytes(int columns) {
    return static_cast<std::size_t>(columns / (32 * Block::kGroups)) * sizeof(Block);
  }

  // One packed tile as blocks of the UnpackedFormat.
  static void unpack(const std::byte* tile, int columns, std::byte* to) {
    auto* out = reinterpret_cast<typename Unpacked::Block*>(to);
    for (int group = 0; group < columns / 32; ++group, ++out) {
      const auto& block = *(reinterpret_cast<const Block*>(tile) + group / Block::kGroups);
      const int at = group % Block::kGroups;
      for (int part = 0; part < Format::kParts; ++part) {
        out->scales[part] = Format::scale(block, at, part);
        if constexpr (Format::kHasMinimum) out->minima[part] = Format::minimum(block, at, part);
      }
      Format::Codes::template for_each<1>(&block.codes[at][0][0][0], 0,
                                          [&](int step, const B* codes) {
                                            std::memcpy(out->codes[0][step], codes, sizeof(B));
                                          });
      if constexpr (UnpackedFormat<Format>::kRaise > 0) {
        std::uint8_t* codes = &out->codes[0][0][0][0];
        for (std::size_t i = 0; i < sizeof out->codes; ++i) {
          codes[i] += UnpackedFormat<Format>::kRaise;
        }
      }
    }
  }

  // One group of kTiles tiles against kColumns tokens.
  template <int kTiles, int kColumns>
  static inline __attribute__((always_inline)) void add_group(const Tiles& tiles, int group,
                                                              const std::byte* x,
                                                              std::size_t x_stride,
                                                              Sums<kTiles, kColumns>& sums) {
    constexpr int kParts = Format::kParts;
    const auto token = [&](int c) -> const ActivationBlock& {
      return *reinterpret_cast<const ActivationBlock*>(x + static_cast<std::size_t>(c) * x_stride);
    };
    const auto block = [&](int t) -> const Block& {
      return *reinterpret_cast<const Block*>(tiles.at(t));
    };
    // The parts of a group follow each other in its steps: one is done before the next begins.
    I dots[kTiles][kColumns];
    const auto start = [&](int part) {
      for (int c = 0; c < kColumns; ++c) {
        const I sum = starting_sum<Format>(token(c), part);
        for (int t = 0; t < kTiles; ++t) dots[t][c] = sum;
      }
    };
    F first_part[kTiles][kColumns];  // where there are two
    const auto finish = [&](int part) {
      for (int t = 0; t < kTiles; ++t) {
        const F scale = Format::scale(block(t), group, part);
        for (int c = 0; c < kColumns; ++c) {
          const F dot = to_float(dots[t][c]), x_scale = splat(token(c).scale);
          if (kParts == 1) {
            sums.of[t][c] = fma(dot, scale * x_scale, sums.of[t][c]);
          } else if (part == 0) {
            first_part[t][c] = dot * scale;
          } else {
            sums.of[t][c] = fma(fma(dot, scale, first_part[t][c]), x_scale, sums.of[t][c]);
          }
        }
      }
    };
    const auto step = [&](int number, const B* codes) {
      if (kParts == 2 && number == 4) {
        finish(0);
        start(1);
      }
      for (int c = 0; c < kColumns; ++c) {
        const X4 four = splat_codes(token(c).codes + 4 * number);
        for (int t = 0; t < kTiles; ++t) {
          dots[t][c] = Format::Codes::accumulate(dots[t][c], codes[t], four);
        }
      }
    };
    start(0);
    Format::Codes::template for_each<kTiles>(&block(0).codes[group][0][0][0], tiles.stride, step);
    finish(kParts - 1);
    for (int t = 0; t < kTiles; ++t) {
      for (int part = 0; Format::kHasMinimum && part < kParts; ++part) {
        const F minimum = splat(0) - Format::minimum(block(t), group, part);
        for (int c = 0; c < kColumns; ++c) {
          sums.of[t][c] = fma(minimum, scaled_sum<kParts>(token(c), part), sums.of[t][c]);
        }
      }
    }
  }

  template <int kTiles, int kColumns>
  static inline void multiply(Tiles tiles, const std::byte* x, std::size_t x_stride, int columns,
                              Sums<kTiles, kColumns>& sums, Ahead& ahead) {
    sums.clear();
    const int lines = ahead.lines_per_step(kTiles * int{sizeof(Block)});
    const int groups = columns / 32;
    for (int first = 0; first < groups; first += Block::kGroups, tiles.first += sizeof(Block)) {
      ahead.step(lines);
      const int count = groups - first < Block::kGroups ? groups - first : Block::kGroups;
      for (int group = 0; group < count; ++group, x += sizeof(ActivationBlock)) {
        add_group(tiles, group, x, x_stride, sums);
      }
    }
  }
};
