// Products of nibbles that stand for sixteen floats (NF4, FP4) with int8 activations. A byte is too
// coarse for the floats: each is made a whole number of 15 bits, 128 * high + low, and the sum of
// the high parts is moved up before the low ones are added to it, all in integers:
//   sum += float(128 * dot(high, x) + dot(low, x)) * (unit * scale * x scale)
// A value is off by at most 2^-15 of the largest (of FP4 by nothing), less than a hundredth of
// what rounding the activations costs.
// Included once per instruction set, after matmul_int8.inl (see cpu/*.cc).

struct Codebook {
  std::uint8_t high[16];  // + 128
  std::uint8_t low[16];   // 0..127
  float unit;             // what 1 stands for
};
constexpr Codebook make_codebook(const float (&values)[16], int largest) {
  Codebook book = {};
  for (int i = 0; i < 16; ++i) {
    const float scaled = values[i] * static_cast<float>(largest) + 16384.5f;
    const int number = static_cast<int>(scaled) - 16384;  // to the nearest
    const int high = (number + 16384) / 128 - 128;
    book.high[i] = static_cast<std::uint8_t>(high + 128);
    book.low[i] = static_cast<std::uint8_t>(number - 128 * high);
  }
  book.unit = 1 / static_cast<float>(largest);
  return book;
}
constexpr Codebook kCodebookNF4 = make_codebook(kValuesNF4, 127 * 128);
constexpr Codebook kCodebookFP4 = make_codebook(kValuesFP4, 192 * 64);

template <const Codebook& kBook>
struct CodebookCore {
  using Block = PackedCodebook<kLanes>;
  static constexpr int kColumnsMax = kInt8Columns;
  static constexpr int kUnpackTokensMin = 0;

  template <int kTiles, int kColumns>
  static inline __attribute__((always_inline)) void add_group(const Tiles& tiles, int group,
                                                              const std::byte* x,
                                                              std::size_t x_stride,
                                                              Sums<kTiles, kColumns>& sums) {
    const auto token = [&](int c) -> const ActivationBlock& {
      return *reinterpret_cast<const ActivationBlock*>(x + static_cast<std::size_t>(c) * x_stride);
    };
    const auto& first = *reinterpret_cast<const Block*>(tiles.first);
    const std::uint8_t* codes = &first.codes[group][0][0][0];
    I dots[kTiles][kColumns];
    for (int c = 0; c < kColumns; ++c) {  // where wide codes are signed they have no offset
      const I start = splat_int(kSignedWideCodes ? 0 : token(c).offset_sum);
      for (int t = 0; t < kTiles; ++t) dots[t][c] = start;
    }
    const B high = load_table(kBook.high), low = load_table(kBook.low);
    NibbleCodes::for_each<kTiles>(codes, tiles.stride, [&](int step, const B* nibbles) {
      for (int c = 0; c < kColumns; ++c) {
        const X4 four = splat_codes(token(c).codes + 4 * step);
        for (int t = 0; t < kTiles; ++t) {
          dots[t][c] = dot_wide(dots[t][c], look_up(high, nibbles[t]), four);
        }
      }
    });
    for (int t = 0; t < kTiles; ++t) {
      for (int c = 0; c < kColumns; ++c) dots[t][c] = shift_left<7>(dots[t][c]);
    }
    NibbleCodes::for_each<kTiles>(codes, tiles.stride, [&](int step, const B* nibbles) {
      for (int c = 0; c < kColumns; ++c) {
        const X4 four = splat_codes(token(c).codes + 4 * step);
        for (int t = 0; t < kTiles; ++t) {
          dots[t][c] = dot(dots[t][c], look_up(low, nibbles[t]), four);
        }
      }
    });
    for (int t = 0; t < kTiles; ++t) {
      const auto& block = *reinterpret_cast<const Block*>(tiles.at(t));
      const F scale = load(block.scale) * splat(kBook.unit);
      for (int c = 0; c < kColumns; ++c) {
        sums.of[t][c] = fma(to_float(dots[t][c]), scale * splat(token(c).scale), sums.of[t][c]);
      }
    }
  }

  template <int kTiles, int kColumns>
  static inline void multiply(Tiles tiles, const std::byte* x, std::size_t x_stride, int columns,
                              Sums<kTiles, kColumns>& sums, Ahead& ahead) {
    sums.clear();
    const int lines = ahead.lines_per_step(kTiles * int{sizeof(Block)});
    for (int first = 0; first < columns; first += 64, tiles.first += sizeof(Block)) {
      ahead.step(lines);
      for (int group = 0; group < 2; ++group, x += sizeof(ActivationBlock)) {
        add_group(tiles, group, x, x_stride, sums);
      }
    }
  }
};
