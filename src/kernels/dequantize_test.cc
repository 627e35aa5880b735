// Dequantization, value for value: against definitions written out a second time, plainly and one
// value at a time, and against hashes of what gguf-py 0.19 (the format's own Python package) makes
// of the same blocks. So the blocks are made by a generator that is easy to write anywhere.
#include "kernels/dequantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <vector>

#include "tensor/float_bits.h"
#include "tensor/quant_blocks.h"

namespace quire {
namespace {

using Bytes = std::vector<unsigned char>;

// 1024 blocks from one linear congruential generator, one step and its top byte per byte. Then the
// exponents of half-precision scales are made smaller than those of infinity and NaN.
Bytes fixture_blocks(DType dtype) {
  const std::size_t size = dtype_info(dtype).block_bytes, count = 1024;
  Bytes bytes(size * count);
  std::uint32_t state = 12345;
  for (unsigned char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<unsigned char>(state >> 24);
  }
  const auto last_bytes = [&]() -> std::vector<std::size_t> {  // of the scales
    switch (dtype) {
      case DType::kMXFP4:
      case DType::kNVFP4:
        return {};
      case DType::kQ4_1:
      case DType::kQ5_1:
      case DType::kQ4_K:
      case DType::kQ5_K:
        return {1, 3};
      case DType::kQ2_K:
        return {81, 83};
      case DType::kQ3_K:
      case DType::kQ6_K:
      case DType::kTQ1_0:
      case DType::kTQ2_0:
      case DType::kIQ1_M:
        return {size - 1};
      default:
        return {1};
    }
  }();
  for (std::size_t block = 0; block < bytes.size(); block += size) {
    for (std::size_t at : last_bytes) bytes[block + at] &= 0xBF;
    if (dtype == DType::kMXFP4 && bytes[block] == 255) bytes[block] = 254;
    for (std::size_t i = 0; i < 4 && dtype == DType::kNVFP4; ++i) bytes[block + i] &= 0x7F;
  }
  return bytes;
}

std::vector<float> dequantized(DType dtype, const Bytes& blocks) {
  const DTypeInfo& info = dtype_info(dtype);
  std::vector<float> values(blocks.size() / info.block_bytes * info.block_elements);
  dequantize_row(dtype, reinterpret_cast<const std::byte*>(blocks.data()), values.size(),
                 values.data());
  return values;
}

std::uint64_t fnv1a(const std::vector<float>& values) {
  std::uint64_t hash = 0xCBF29CE484222325;
  const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
  for (std::size_t i = 0; i < values.size() * sizeof(float); ++i) {
    hash = (hash ^ bytes[i]) * 0x100000001B3;
  }
  return hash;
}

TEST(Dequantize, EveryBlockTypeEqualsTheFormatsOwnPackage) {
  struct Fixture {
    DType dtype;
    std::uint64_t hash;
  };
  const Fixture fixtures[] = {
      {DType::kQ4_0, 0xaee8b7d39531460c},    {DType::kQ4_1, 0x78e2ab0544a3f6d3},
      {DType::kQ5_0, 0xc2f8dbf76fae09d8},    {DType::kQ5_1, 0xd6a2619b9c361e64},
      {DType::kQ8_0, 0xba9c9155f73215a7},    {DType::kQ4_K, 0xbad689a833ff0daa},
      {DType::kQ5_K, 0xced92fc6b54570d3},    {DType::kQ6_K, 0x04eebc2f3c76e6c9},
      {DType::kQ2_K, 0x2331ff3b81a1918b},    {DType::kQ3_K, 0x1c9b17ec453ac4be},
      {DType::kIQ4_NL, 0x3ad473c6ec6a13b9},  {DType::kIQ4_XS, 0xb45dbc5bc2c28875},
      {DType::kMXFP4, 0x7a619a465560f68c},   {DType::kTQ1_0, 0x4adb02123e5e231b},
      {DType::kTQ2_0, 0xd4c0334e45204a88},   {DType::kIQ1_S, 0xcea4d922d9fad5bf},
      {DType::kIQ1_M, 0x40a75c42b68e5061},   {DType::kIQ2_XXS, 0x5f4a8e2852c96fe2},
      {DType::kIQ2_XS, 0x98150911ea4cc66f},  {DType::kIQ2_S, 0xed379c6112915046},
      {DType::kIQ3_XXS, 0x9aa5fdb343825c93}, {DType::kIQ3_S, 0x2394b2478cc2bae2},
      {DType::kNVFP4, 0x837b6e3442800909},
      // Of these two the package knows sizes at most: from their definition, written in numpy.
      {DType::kQ1_0, 0x3a2786df09b49325},    {DType::kQ2_0, 0xe8bef7b1a7107336},
  };
  for (const DTypeInfo& info : kDTypes) {
    EXPECT_EQ(std::count_if(std::begin(fixtures), std::end(fixtures),
                            [&](const Fixture& fixture) { return fixture.dtype == info.dtype; }),
              info.block_elements > 1 && info.gguf_type >= 0 ? 1 : 0)
        << info.name;
  }
  for (const Fixture& fixture : fixtures) {
    EXPECT_EQ(fnv1a(dequantized(fixture.dtype, fixture_blocks(fixture.dtype))), fixture.hash)
        << dtype_name(fixture.dtype);
  }
}

// The definitions once more: value i of a block, from its bytes.
float half_at(const unsigned char* bytes) {
  return half_to_float(static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8));
}
int crumb(const unsigned char* bytes, int i) {  // 32 values apart share a byte
  return bytes[i / 128 * 32 + i % 32] >> (2 * (i / 32 % 4)) & 3;
}
int nibble(const unsigned char* bytes, int i) {  // 16 values apart share a byte
  return i % 32 < 16 ? bytes[i / 32 * 16 + i % 16] & 15 : bytes[i / 32 * 16 + i % 16] >> 4;
}
constexpr int kNonlinear[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                1,    13,   25,  38,  53,  69,  89,  113};

float plain_q2_k(const unsigned char* b, int i) {
  const float scale = half_at(b + 80) * static_cast<float>(b[i / 16] % 16);
  return scale * static_cast<float>(crumb(b + 16, i)) -
         half_at(b + 82) * static_cast<float>(b[i / 16] / 16);
}
float plain_q3_k(const unsigned char* b, int i) {
  const int s = i / 16;
  const int low = s < 8 ? b[96 + s] % 16 : b[88 + s] / 16;
  const int high = b[104 + s % 4] >> (s / 4 * 2) & 3;
  const int code = crumb(b + 32, i) - (b[i % 32] >> (i / 32) & 1 ? 0 : 4);
  return half_at(b + 108) * static_cast<float>((high * 16 + low - 32) * code);
}
float plain_iq4_nl(const unsigned char* b, int i) {
  return half_at(b) * static_cast<float>(kNonlinear[nibble(b + 2, i)]);
}
float plain_iq4_xs(const unsigned char* b, int i) {
  const int g = i / 32;
  const int low = g % 2 == 0 ? b[4 + g / 2] % 16 : b[4 + g / 2] / 16;
  const int high = b[2 + g / 4] >> (g % 4 * 2) & 3;
  return half_at(b) * static_cast<float>((high * 16 + low - 32) * kNonlinear[nibble(b + 8, i)]);
}
float plain_mxfp4(const unsigned char* b, int i) {  // E8M0 times E2M1
  constexpr double kMagnitudes[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  const int code = nibble(b + 1, i);
  const double value = std::ldexp(kMagnitudes[code % 8], b[0] - 127);
  return static_cast<float>(code < 8 ? value : -value);
}
float plain_tq2_0(const unsigned char* b, int i) {
  return half_at(b + 64) * static_cast<float>(crumb(b, i) - 1);
}
float plain_tq1_0(const unsigned char* b, int i) {  // digit n of the byte's base-3 fraction
  int byte = 0, digit = 0;
  if (i < 160) {
    byte = b[i % 32], digit = i / 32;
  } else if (i < 240) {
    byte = b[32 + (i - 160) % 16], digit = (i - 160) / 16;
  } else {
    byte = b[48 + (i - 240) % 4], digit = (i - 240) / 4;
  }
  for (; digit > 0; --digit) byte = byte * 3 % 256;
  return half_at(b + 52) * static_cast<float>(byte * 3 / 256 - 1);
}

float plain_q1_0(const unsigned char* b, int i) {
  return (b[2 + i / 8] >> (i % 8)) % 2 == 1 ? half_at(b) : -half_at(b);
}
float plain_q2_0(const unsigned char* b, int i) {
  return half_at(b) * static_cast<float>((b[2 + i / 4] >> (i % 4 * 2)) % 4 - 1);
}

TEST(Dequantize, TypesWithoutCodebooksEqualTheirDefinitions) {
  const auto expect = [](DType dtype, float (*plain)(const unsigned char*, int)) {
    const Bytes blocks = fixture_blocks(dtype);
    const std::vector<float> values = dequantized(dtype, blocks);
    const DTypeInfo& info = dtype_info(dtype);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const unsigned char* block = &blocks[i / info.block_elements * info.block_bytes];
      ASSERT_EQ(values[i], plain(block, static_cast<int>(i % info.block_elements)))
          << info.name << " value " << i;
    }
  };
  expect(DType::kQ2_K, plain_q2_k);
  expect(DType::kQ3_K, plain_q3_k);
  expect(DType::kIQ4_NL, plain_iq4_nl);
  expect(DType::kIQ4_XS, plain_iq4_xs);
  expect(DType::kMXFP4, plain_mxfp4);
  expect(DType::kTQ1_0, plain_tq1_0);
  expect(DType::kTQ2_0, plain_tq2_0);
  expect(DType::kQ1_0, plain_q1_0);
  expect(DType::kQ2_0, plain_q2_0);
}

TEST(Dequantize, EveryE4m3Code) {
  std::byte codes[256];
  for (int i = 0; i < 256; ++i) codes[i] = static_cast<std::byte>(i);
  float values[256];
  dequantize_row(DType::kF8, codes, 256, values);
  for (int i = 0; i < 256; ++i) {
    const int exponent = i >> 3 & 15, rest = i & 7;
    if (exponent == 15 && rest == 7) {
      EXPECT_TRUE(std::isnan(values[i]));
      continue;
    }
    const double size = exponent == 0 ? std::ldexp(rest, -9) : std::ldexp(8 + rest, exponent - 10);
    EXPECT_EQ(values[i], i < 128 ? size : -size) << i;
  }
  dequantize_row(DType::kI8A16, codes, 256, values);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(values[i], i < 128 ? i : i - 256);
}

TEST(Dequantize, FloatScalesAndMinimaOfBlocks) {
  BlockQ4_F block = {0.5f, -3.25f, {}};
  for (int i = 0; i < 32; ++i) block.qs[i] = static_cast<std::uint8_t>(i * 7);
  std::byte bytes[sizeof block];
  std::memcpy(bytes, &block, sizeof block);
  float out[64];
  dequantize_row(DType::kQ4_F, bytes, 64, out);
  for (int i = 0; i < 64; ++i) {
    const int pair = i / 32 * 16 + i % 16;
    const int code = i % 32 < 16 ? pair * 7 & 15 : (pair * 7 & 255) >> 4;
    EXPECT_EQ(out[i], 0.5f * static_cast<float>(code) - 3.25f) << i;
  }
}

TEST(Dequantize, CodebooksAndZerosOfBlocks) {
  BlockCodebook block = {3, {}};
  for (int i = 0; i < 16; ++i) {  // value i of each group is i
    block.qs[i] = block.qs[16 + i] = static_cast<std::uint8_t>(i | (15 - i) << 4);
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(&block);
  float nf4[64], fp4[64];
  dequantize_row(DType::kNF4, bytes, 64, nf4);
  dequantize_row(DType::kFP4, bytes, 64, fp4);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(nf4[i], 3 * kValuesNF4[i]);
    EXPECT_EQ(nf4[16 + i], nf4[15 - i]);
    EXPECT_EQ(fp4[32 + i], 3 * kValuesFP4[i]);
    EXPECT_EQ(fp4[48 + i], fp4[15 - i]);
  }
  BlockQ4_Z zeros = {float_to_half(0.5f), 11, 0, {}};
  zeros.qs[0] = 0xF0;
  float values[32];
  dequantize_row(DType::kQ4_Z, reinterpret_cast<const std::byte*>(&zeros), 32, values);
  EXPECT_EQ(values[0], -5.5f);
  EXPECT_EQ(values[16], 2);
}

TEST(Dequantize, Mxfp4ScalesOfEveryExponent) {
  for (int e = 0; e < 255; ++e) {
    const Bytes block = [&] {
      Bytes bytes(17, 0x12);  // 1 and 0.5
      bytes[0] = static_cast<unsigned char>(e);
      return bytes;
    }();
    const std::vector<float> values = dequantized(DType::kMXFP4, block);
    EXPECT_EQ(values[0], std::ldexp(1.0f, e - 127)) << e;
    EXPECT_EQ(values[31], std::ldexp(0.5f, e - 127)) << e;
  }
  Bytes nan(17, 0x12);
  nan[0] = 255;
  for (float value : dequantized(DType::kMXFP4, nan)) EXPECT_FALSE(std::isfinite(value));
}

}  // namespace
}  // namespace quire
