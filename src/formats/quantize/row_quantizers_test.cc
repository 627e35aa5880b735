// The simple types against the bytes that the reference of the format (the Python package gguf,
// 0.19.0) made of the same values; blocks of zeros and of extremes. How well the K types do is
// measured in lab/quantize/error_test.cc, where they can be read back.
#include "formats/quantize/row_quantizers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "formats/quantize/scale_search.h"

namespace quire {
namespace {

// Cubes of numbers from -1 to 1, with a block of zeros: many small, few large.
std::vector<float> test_values() {
  std::vector<float> values;
  std::uint32_t state = 1;
  for (int i = 0; i < 4096; ++i) {
    state = state * 1664525u + 1013904223u;
    const auto whole = static_cast<std::int32_t>(state >> 8) - (1 << 23);
    const float value = static_cast<float>(whole) / static_cast<float>(1 << 23);
    values.push_back(i >= 64 && i < 96 ? 0 : value * value * value);
  }
  return values;
}

std::uint64_t fnv(const std::vector<std::byte>& bytes) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const std::byte byte : bytes) {
    hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001B3ull;
  }
  return hash;
}

std::vector<std::byte> quantized(DType dtype, const std::vector<float>& values) {
  std::vector<std::byte> bytes(row_bytes(dtype, values.size()));
  quantize_row(dtype, values.data(), values.size(), bytes.data());
  return bytes;
}

TEST(RowQuantizers, SimpleTypesAreTheReferencesToTheBit) {
  struct Frozen {
    DType dtype;
    std::uint64_t hash;
  };
  constexpr Frozen kFrozen[] = {
      {DType::kQ8_0, 0x9736C31882A692EC}, {DType::kQ4_0, 0x0E0C43C3C5FDD3C4},
      {DType::kQ4_1, 0xB9C5AB38C768F207}, {DType::kQ5_0, 0xEA17E7EFF4AF35C6},
      {DType::kQ5_1, 0x97531817E6635D4D}, {DType::kBF16, 0x134457E6BA9F158F},
      {DType::kF16, 0x0A15C2C5C9841573},
  };
  const std::vector<float> values = test_values();
  for (const auto& [dtype, hash] : kFrozen) {
    EXPECT_EQ(fnv(quantized(dtype, values)), hash) << dtype_name(dtype);
  }
}

TEST(RowQuantizers, ZerosAndTheLargestValuesMakeBlocks) {
  for (const DTypeInfo& info : kDTypes) {
    if (!can_quantize(info.dtype)) continue;
    for (const float value : {0.0f, kQuantizableMax, -kQuantizableMax, 1e-30f, 1e-39f}) {
      std::vector<float> values(512, value);
      values[300] = -value;
      EXPECT_EQ(quantized(info.dtype, values).size(), row_bytes(info.dtype, 512)) << info.name;
    }
  }
}

// Such as weights that were quantized before: nothing of them is lost.
TEST(ScaleSearch, ValuesOnAGridComeBack) {
  std::uint32_t state = 7;
  for (const int code_max : {3, 15, 31}) {
    for (int trial = 0; trial < 200; ++trial) {
      std::vector<float> values;
      const float scale = 0.001f * static_cast<float>(1 + trial);
      const float minimum = scale * static_cast<float>(trial % 3);
      for (int i = 0; i < 32; ++i) {
        state = state * 1664525u + 1013904223u;
        int code = static_cast<int>((state >> 16) % static_cast<unsigned>(code_max + 1));
        if (i < 2) code = i * code_max;  // both ends are there
        values.push_back(scale * static_cast<float>(code) - minimum);
      }
      const ScaleAndMinimum fit = fit_scale_and_minimum(values, code_max);
      ASSERT_GT(fit.scale, 0);
      for (const float value : values) {
        const float code = std::nearbyint((value + fit.minimum) / fit.scale);
        ASSERT_NEAR(fit.scale * code - fit.minimum, value, 1e-4f * scale * 32)
            << code_max << " " << trial;
      }
    }
  }
}

TEST(RowQuantizers, FloatsComeBack) {
  const std::vector<float> values = test_values();
  std::vector<float> back(values.size());
  widen_float_row(DType::kF32, quantized(DType::kF32, values).data(), values.size(), back.data());
  EXPECT_EQ(back, values);
  widen_float_row(DType::kBF16, quantized(DType::kBF16, values).data(), values.size(),
                  back.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_LE(std::fabs(back[i] - values[i]), std::fabs(values[i]) / 256) << i;
  }
}

}  // namespace
}  // namespace quire
