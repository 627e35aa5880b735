#include "lab/random_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"
#include "tensor/float_bits.h"
#include "tensor/quant_blocks.h"

namespace quire {
namespace {

// 64 random bits a call.
class Counter {
 public:
  Counter(std::uint64_t seed, std::uint64_t block) : state_(mix64(seed) + mix64(~block)) {}
  std::uint64_t operator()() { return mix64(state_ += 0x9E3779B97F4A7C15ull); }

  template <typename T, std::size_t kCount>
  void fill(T (&out)[kCount]) {
    static_assert(sizeof out % 4 == 0);
    fill_bytes(reinterpret_cast<std::byte*>(out), sizeof out);
  }
  void fill_bytes(std::byte* out, std::size_t size) {
    for (std::size_t at = 0; at < size; at += 8) {
      const std::uint64_t word = (*this)();
      std::memcpy(out + at, &word, at + 8 <= size ? 8 : size - at);
    }
  }

 private:
  std::uint64_t state_;
};

// A positive number of [0.75, 1.25), so that blocks differ in scale.
float spread(std::uint64_t bits) { return 0.75f + static_cast<float>(bits & 0xFFFF) * 0x1p-17f; }

// Uniform in (-1, 1).
float symmetric(std::uint32_t bits) {
  return static_cast<float>(static_cast<std::int32_t>(bits)) * 0x1p-31f;
}

// The standard deviation of 2^bits equally likely neighbouring codes.
constexpr double kDeviation4 = 4.61, kDeviation5 = 9.23, kDeviation6 = 18.47, kDeviation8 = 73.9;

// Blocks of 32 with a scale and, if kHasMinimum, a minimum that puts the mean at zero.
template <typename Block>
void fill_plain(Block& block, double deviation, float center, float sigma, Counter& random) {
  const std::uint64_t bits = random();
  float scale = sigma / static_cast<float>(deviation) * spread(bits);
  if constexpr (requires { block.m; }) {
    block.m = float_to_half(-center * scale);
  } else if (bits >> 63) {
    scale = -scale;  // as in files; the codes reach farther below zero than above
  }
  block.d = float_to_half(scale);
  if constexpr (requires { block.qh; }) random.fill(block.qh);
  random.fill(block.qs);
}

// 6-bit scales and minima of eight sub-blocks in 12 bytes, as K-quants keep them.
void pack_scales(const int (&scale)[8], const int (&minimum)[8], std::uint8_t (&out)[12]) {
  for (int i = 0; i < 4; ++i) {
    out[i] = static_cast<std::uint8_t>(scale[i] | (scale[i + 4] >> 4) << 6);
    out[i + 4] = static_cast<std::uint8_t>(minimum[i] | (minimum[i + 4] >> 4) << 6);
    out[i + 8] = static_cast<std::uint8_t>((scale[i + 4] & 15) | (minimum[i + 4] & 15) << 4);
  }
}

template <typename Block>
void fill_k_with_minima(Block& block, double deviation, float center, float sigma,
                        Counter& random) {
  constexpr int kScaleMean = 32;
  const float unit = sigma / static_cast<float>(deviation * kScaleMean) * spread(random());
  int scale[8], minimum[8];
  std::uint64_t bits = random();
  for (int i = 0; i < 8; ++i, bits >>= 8) {
    scale[i] = kScaleMean - 16 + static_cast<int>(bits & 31);
    minimum[i] = scale[i] + static_cast<int>(bits >> 5 & 7) - 3;
  }
  block.d = float_to_half(unit);
  block.dmin = float_to_half(unit * center);
  pack_scales(scale, minimum, block.scales);
  if constexpr (requires { block.qh; }) random.fill(block.qh);
  random.fill(block.qs);
}

void fill_q6_k(BlockQ6_K& block, float sigma, Counter& random) {
  constexpr int kScaleMean = 96;
  block.d = float_to_half(sigma / static_cast<float>(kDeviation6 * kScaleMean) * spread(random()));
  random.fill(block.ql);
  random.fill(block.qh);
  random.fill(block.scales);
  for (std::int8_t& scale : block.scales) {  // 64..127, either sign
    scale = static_cast<std::int8_t>(scale < 0 ? -64 - (scale & 63) : 64 + (scale & 63));
  }
}

void fill_q2_k(BlockQ2_K& block, float sigma, Counter& random) {
  constexpr float kDeviation = 1.118f, kCenter = 1.5f, kScaleMean = 11.7f;
  const float unit = sigma / (kDeviation * kScaleMean) * spread(random());
  block.d = float_to_half(unit);
  block.dmin = float_to_half(unit * kCenter);
  random.fill(block.scales);
  for (std::uint8_t& both : block.scales) {  // 8..15, and a minimum like it
    const int scale = 8 + (both & 7);
    both = static_cast<std::uint8_t>(scale | scale << 4);
  }
  random.fill(block.qs);
}

void fill_mxfp4(BlockMXFP4& block, float sigma, Counter& random) {
  constexpr float kDeviation = 5.852f;
  const float scale = sigma / kDeviation;
  int exponent = 0;
  const float below = std::frexp(scale, &exponent) * 2;  // scale = below * 2^(exponent - 1)
  // Scales are powers of two: that below or above, so that their mean square is the wanted one.
  const float chance_above = (below * below - 1) / 3;
  const bool is_above = static_cast<float>(random() & 0xFFFF) * 0x1p-16f < chance_above;
  block.e = static_cast<std::uint8_t>(128 + exponent - 1 + (is_above ? 1 : 0));
  random.fill(block.qs);
}

void fill_nvfp4(BlockNVFP4& block, float sigma, Counter& random) {
  constexpr float kDeviation = 2.926f;
  for (std::uint8_t& d : block.d) {  // rounded up or down by chance
    const std::uint64_t bits = random();
    const float scale = sigma / kDeviation * spread(bits);
    const float chance = static_cast<float>(bits >> 48) * 0x1p-16f;
    const int exponent = std::max(-6, std::ilogb(scale));
    const float eighths = std::ldexp(scale, 3 - exponent);  // below 8 where it is subnormal
    d = static_cast<std::uint8_t>((exponent + 6) * 8 + static_cast<int>(eighths + chance));
  }
  random.fill(block.qs);
}

void fill_codebook(BlockCodebook& block, float deviation, float sigma, Counter& random) {
  const std::uint64_t bits = random();
  const float scale = sigma / deviation * spread(bits);
  block.d = bits >> 63 ? -scale : scale;
  random.fill(block.qs);
}

void fill_q4_z(BlockQ4_Z& block, float sigma, Counter& random) {
  const std::uint64_t bits = random();
  block.d = float_to_half(sigma / static_cast<float>(kDeviation4) * spread(bits));
  block.zero = bits >> 63 ? 7 : 8;
  block.unused = 0;
  random.fill(block.qs);
}

void fill_q4_f(BlockQ4_F& block, float sigma, Counter& random) {
  const std::uint64_t bits = random();
  block.d = sigma / static_cast<float>(kDeviation4) * spread(bits);
  block.m = -(bits >> 63 ? 7.25f : 7.75f) * block.d;
  random.fill(block.qs);
}

// Types with one scale and no minimum: any bits are a block. `deviation` is that of its values
// when the scale is 1.
struct AnyBits {
  std::size_t scale_at;
  float deviation;
};
AnyBits any_bits(DType dtype) {
  switch (dtype) {
    case DType::kQ3_K:
      return {offsetof(BlockQ3_K, d), 43.3f};
    case DType::kIQ4_NL:
      return {offsetof(BlockIQ4_NL, d), 67.4f};
    case DType::kIQ4_XS:
      return {offsetof(BlockIQ4_XS, d), 1247};
    case DType::kTQ1_0:
      return {offsetof(BlockTQ1_0, d), 0.817f};
    case DType::kTQ2_0:
      return {offsetof(BlockTQ2_0, d), 1.224f};  // -1..2
    case DType::kQ1_0:
      return {offsetof(BlockQ1_0, d), 1};
    case DType::kQ2_0:
      return {offsetof(BlockQ2_0, d), 1.224f};  // -1..2
    case DType::kIQ1_S:
      return {offsetof(BlockIQ1_S, d), 7.19f};
    case DType::kIQ2_XXS:
      return {offsetof(BlockIQ2_XXS, d), 53.3f};
    case DType::kIQ2_XS:
      return {offsetof(BlockIQ2_XS, d), 56.0f};
    case DType::kIQ2_S:
      return {offsetof(BlockIQ2_S, d), 56.3f};
    case DType::kIQ3_XXS:
      return {offsetof(BlockIQ3_XXS, d), 142.4f};
    case DType::kIQ3_S:
      return {offsetof(BlockIQ3_S, d), 140.3f};
    default:
      break;
  }
  QUIRE_CHECK(false, "type {} has no blocks", dtype_name(dtype));
}
std::uint16_t random_scale(float deviation, float sigma, Counter& random) {
  const std::uint64_t bits = random();
  const float scale = sigma / deviation * spread(bits);
  return float_to_half(bits >> 63 ? -scale : scale);
}
void fill_any_bits(DType dtype, float sigma, Counter& random, std::byte* out) {
  const AnyBits type = any_bits(dtype);
  random.fill_bytes(out, dtype_info(dtype).block_bytes);
  const std::uint16_t d = random_scale(type.deviation, sigma, random);
  std::memcpy(out + type.scale_at, &d, sizeof d);
}

void fill_iq1_m(BlockIQ1_M& block, float sigma, Counter& random) {
  random.fill_bytes(reinterpret_cast<std::byte*>(&block), sizeof block);
  const int d = random_scale(7.2f, sigma, random);
  for (int i = 0; i < 4; ++i) {  // a nibble of d on top of each
    block.scales[i] =
        static_cast<std::uint16_t>((block.scales[i] & 0xFFF) | (d >> (4 * i) & 15) << 12);
  }
}

void fill_block(DType dtype, float sigma, Counter& random, std::byte* out) {
  switch (dtype) {
    case DType::kQ4_0:
      return fill_plain(*reinterpret_cast<BlockQ4_0*>(out), kDeviation4, 0, sigma, random);
    case DType::kQ4_1:
      return fill_plain(*reinterpret_cast<BlockQ4_1*>(out), kDeviation4, 7.5f, sigma, random);
    case DType::kQ5_0:
      return fill_plain(*reinterpret_cast<BlockQ5_0*>(out), kDeviation5, 0, sigma, random);
    case DType::kQ5_1:
      return fill_plain(*reinterpret_cast<BlockQ5_1*>(out), kDeviation5, 15.5f, sigma, random);
    case DType::kQ8_0:
      return fill_plain(*reinterpret_cast<BlockQ8_0*>(out), kDeviation8, 0, sigma, random);
    case DType::kQ4_K:
      return fill_k_with_minima(*reinterpret_cast<BlockQ4_K*>(out), kDeviation4, 7.5f, sigma,
                                random);
    case DType::kQ5_K:
      return fill_k_with_minima(*reinterpret_cast<BlockQ5_K*>(out), kDeviation5, 15.5f, sigma,
                                random);
    case DType::kQ6_K:
      return fill_q6_k(*reinterpret_cast<BlockQ6_K*>(out), sigma, random);
    case DType::kQ2_K:
      return fill_q2_k(*reinterpret_cast<BlockQ2_K*>(out), sigma, random);
    case DType::kMXFP4:
      return fill_mxfp4(*reinterpret_cast<BlockMXFP4*>(out), sigma, random);
    case DType::kNVFP4:
      return fill_nvfp4(*reinterpret_cast<BlockNVFP4*>(out), sigma, random);
    case DType::kNF4:
      return fill_codebook(*reinterpret_cast<BlockCodebook*>(out), 0.517f, sigma, random);
    case DType::kFP4:
      return fill_codebook(*reinterpret_cast<BlockCodebook*>(out), 0.487f, sigma, random);
    case DType::kQ4_F:
      return fill_q4_f(*reinterpret_cast<BlockQ4_F*>(out), sigma, random);
    case DType::kQ4_Z:
      return fill_q4_z(*reinterpret_cast<BlockQ4_Z*>(out), sigma, random);
    case DType::kIQ1_M:
      return fill_iq1_m(*reinterpret_cast<BlockIQ1_M*>(out), sigma, random);
    default:
      return fill_any_bits(dtype, sigma, random, out);
  }
}

// Plain types: element i is word i of the counter; uniform of the wanted variance.
template <typename Element, typename Convert>
void fill_elements(float sigma, std::uint64_t seed, std::size_t begin, std::size_t end,
                   std::byte* data, Convert convert) {
  const float width = sigma * 1.7320508f;
  auto* out = reinterpret_cast<Element*>(data);
  for (std::size_t i = begin; i < end; ++i) {
    const std::uint64_t word = mix64(seed + (i >> 1) * 0x9E3779B97F4A7C15ull);
    out[i] = convert(width * symmetric(static_cast<std::uint32_t>(i & 1 ? word >> 32 : word)));
  }
}

// Code i is byte i of the counter, never -128.
void fill_codes(std::uint64_t seed, std::size_t begin, std::size_t end, std::byte* data) {
  auto* codes = reinterpret_cast<std::int8_t*>(data);
  for (std::size_t i = begin; i < end; ++i) {
    const std::uint64_t word = mix64(seed + (i >> 3) * 0x9E3779B97F4A7C15ull);
    const auto code = static_cast<std::int8_t>(word >> (i & 7) * 8);
    codes[i] = code == -128 ? std::int8_t{0} : code;
  }
}

// As above, from 0 to 1.875 or below it, with either sign.
constexpr double kDeviationF8 = 0.598;
void fill_e4m3(std::uint64_t seed, std::size_t begin, std::size_t end, std::byte* data) {
  fill_codes(seed, begin, end, data);
  for (std::size_t i = begin; i < end; ++i) data[i] &= std::byte{0xBF};
}

}  // namespace

std::vector<float> random_row_scales(DType dtype, std::size_t rows, std::size_t columns,
                                     std::uint64_t seed) {
  const double deviation = dtype == DType::kF8 ? kDeviationF8 : kDeviation8;
  const float unit = 1 / (static_cast<float>(deviation) * std::sqrt(static_cast<float>(columns)));
  std::vector<float> scales(rows);
  for (std::size_t i = 0; i < rows; ++i) scales[i] = unit * spread(mix64(~seed + i));
  return scales;
}

void fill_random_blocks(DType dtype, std::size_t columns, std::uint64_t seed, std::size_t begin,
                        std::size_t end, std::byte* data) {
  const float sigma = 1 / std::sqrt(static_cast<float>(columns));
  switch (dtype) {
    case DType::kF32:
      return fill_elements<float>(sigma, seed, begin, end, data, [](float x) { return x; });
    case DType::kF16:
      return fill_elements<std::uint16_t>(sigma, seed, begin, end, data, float_to_half);
    case DType::kBF16:
      return fill_elements<std::uint16_t>(sigma, seed, begin, end, data, float_to_bf16);
    case DType::kI8:
    case DType::kI8A16:
      return fill_codes(seed, begin, end, data);
    case DType::kF8:
      return fill_e4m3(seed, begin, end, data);
    default:
      break;
  }
  const std::size_t block_bytes = dtype_info(dtype).block_bytes;
  for (std::size_t i = begin; i < end; ++i) {
    Counter random(seed, i);
    fill_block(dtype, sigma, random, data + i * block_bytes);
  }
}

}  // namespace quire
