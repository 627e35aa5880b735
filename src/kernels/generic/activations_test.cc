// Quantization and rounding of activations, and rotation, on every supported table.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/kernels_for_tests.h"
#include "kernels/reference.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

using testing::Random;

class ActivationsTest : public testing::KernelTest {};

TEST_P(ActivationsTest, QuantizesToNearestAndSums) {
  Random random(7);
  std::vector<float> x = random.normal(320, 3);
  for (int i = 64; i < 96; ++i) x[static_cast<std::size_t>(i)] = 0;
  std::vector<ActivationBlock> blocks(10);
  kernels().quantize_int8(x.data(), 320, blocks.data());
  for (std::size_t g = 0; g < blocks.size(); ++g) {
    int sum = 0, first = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      sum += blocks[g].codes[i];
      if (i < 16) first += blocks[g].codes[i];
      EXPECT_NEAR(blocks[g].codes[i] * double{blocks[g].scale}, x[32 * g + i],
                  0.5001 * double{blocks[g].scale});
    }
    EXPECT_EQ(blocks[g].offset_sum, -128 * sum);
    EXPECT_EQ(blocks[g].offset_sum_first, -128 * first);
    EXPECT_EQ(blocks[g].scaled_sum, blocks[g].scale * static_cast<float>(sum));
  }
  EXPECT_EQ(blocks[2].scale, 0);
}

TEST_P(ActivationsTest, QuantizesATokenToNearestAndSums) {
  Random random(8);
  for (const std::size_t columns : {1u, 31u, 64u, 172u, 577u}) {
    const std::vector<float> x = random.normal(columns, 3);
    float largest = 0;
    for (float value : x) largest = std::max(largest, std::abs(value));
    for (float given : {0.0f, 0.03f, 0.01f}) {  // the last ones clamp
      AlignedBuffer<std::byte> room(channel_token_bytes(columns));
      std::memset(room.data(), 0x55, room.count());
      const auto& token = *reinterpret_cast<const ChannelToken*>(room.data());
      kernels().quantize_token(x.data(), static_cast<int>(columns), given,
                               reinterpret_cast<ChannelToken*>(room.data()));
      EXPECT_EQ(token.scale, given == 0 ? largest / 127 : given);
      int sum = 0;
      for (std::size_t i = 0; i < columns; ++i) {
        const float exact = std::clamp(x[i] / token.scale, -127.0f, 127.0f);
        EXPECT_NEAR(token.codes()[i], exact, 0.5001f) << i;
        sum += token.codes()[i];
      }
      EXPECT_EQ(token.negative_sum, -sum);
      for (std::size_t i = columns; i < (columns + 63) / 64 * 64; ++i) {
        ASSERT_EQ(token.codes()[i], 0) << i;
      }
    }
  }
}

TEST_P(ActivationsTest, TokensOfZerosAndOfNoNumbers) {
  AlignedBuffer<std::byte> room(channel_token_bytes(64));
  auto* token = reinterpret_cast<ChannelToken*>(room.data());
  std::vector<float> x(64, 1e-38f);
  kernels().quantize_token(x.data(), 64, 0, token);
  EXPECT_EQ(token->scale, 0);
  EXPECT_EQ(token->negative_sum, 0);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    x[40] = bad;
    for (float given : {0.0f, 0.5f}) {
      kernels().quantize_token(x.data(), 64, given, token);
      EXPECT_TRUE(std::isnan(token->scale));
      EXPECT_EQ(token->negative_sum, 0);
      EXPECT_EQ(token->codes()[40], 0);
    }
  }
}

TEST_P(ActivationsTest, NonFiniteActivationsStayVisible) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    std::vector<float> x(64, 1.0f);
    x[40] = bad;
    ActivationBlock blocks[2];
    kernels().quantize_int8(x.data(), 64, blocks);
    EXPECT_TRUE(std::isfinite(blocks[0].scale));
    EXPECT_FALSE(std::isfinite(blocks[1].scale));
    EXPECT_FALSE(std::isfinite(blocks[1].scaled_sum));
    std::uint16_t bits[64];
    kernels().narrow_bf16(x.data(), 64, bits);
    EXPECT_FALSE(std::isfinite(bf16_to_float(bits[40])));
  }
}

TEST_P(ActivationsTest, RoundsTo16BitsAsFloatBitsDoes) {
  Random random(11);
  for (float scale : {1.0f, 1e-3f, 1e-7f, 1e4f, 1e38f}) {
    const std::vector<float> x = random.normal(37, scale);
    std::uint16_t bf16[37], half[37];
    kernels().narrow_bf16(x.data(), 37, bf16);
    kernels().narrow_half(x.data(), 37, half);
    for (std::size_t i = 0; i < 37; ++i) {
      EXPECT_EQ(bf16[i], float_to_bf16(x[i]));
      EXPECT_EQ(half[i], float_to_half(x[i])) << x[i];
    }
  }
}

// A whole head, and the first part of one.
TEST_P(ActivationsTest, RotatesPairsAndLeavesTheRest) {
  Random random(13);
  for (std::size_t dim : {2u, 8u, 16u, 64u, 80u, 100u, 576u}) {
    const std::vector<float> x = random.normal(dim + 7, 2);
    std::vector<float> cosines, sines;
    for (float angle : random.normal(dim / 2, 10)) {
      cosines.push_back(std::cos(angle));
      sines.push_back(std::sin(angle));
    }
    for (bool adjacent : {true, false}) {
      std::vector<float> turned = x;
      kernels().rope(turned.data(), cosines.data(), sines.data(), static_cast<int>(dim), adjacent);
      const std::vector<double> rope =
          reference::rope(std::span(x).first(dim), cosines, sines, adjacent);
      for (std::size_t i = 0; i < dim; ++i) EXPECT_NEAR(turned[i], rope[i], 2e-6);
      for (std::size_t i = dim; i < x.size(); ++i) EXPECT_EQ(turned[i], x[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, ActivationsTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
