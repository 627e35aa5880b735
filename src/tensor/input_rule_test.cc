// InputRule: each way of rounding against the numbers that its type has, and columns in order.
#include "tensor/input_rule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tensor/float_bits.h"

namespace quire {
namespace {

using Rounding = InputRule::Rounding;

std::vector<float> followed(const InputRule& rule, const std::vector<float>& x) {
  std::vector<float> out(x.size());
  follow(rule, x.data(), x.size(), out.data());
  return out;
}

// All numbers of the type, and between two of them the nearer, or the even one.
TEST(InputRuleTest, E4M3IsTheNearestOfAllCodes) {
  std::vector<float> codes;
  for (int code = 0; code < 127; ++code) {
    codes.push_back(e4m3_to_float(static_cast<std::uint8_t>(code)));
  }
  for (std::size_t i = 0; i < codes.size(); ++i) {
    EXPECT_EQ(round_to_e4m3(codes[i]), codes[i]);
    EXPECT_EQ(round_to_e4m3(-codes[i]), -codes[i]);
    if (i + 1 == codes.size()) break;
    const float middle = (codes[i] + codes[i + 1]) / 2;
    EXPECT_EQ(round_to_e4m3(middle), codes[i % 2 == 0 ? i : i + 1]) << i;
    EXPECT_EQ(round_to_e4m3(std::nextafter(middle, 0.0f)), codes[i]);
    EXPECT_EQ(round_to_e4m3(std::nextafter(middle, 500.0f)), codes[i + 1]);
  }
  EXPECT_EQ(round_to_e4m3(1e9f), 448);
  EXPECT_EQ(round_to_e4m3(-INFINITY), -448);
  EXPECT_TRUE(std::isnan(round_to_e4m3(NAN)));
}

TEST(InputRuleTest, E2M1IsTheNearestOfEight) {
  const float from[] = {0.2f, 0.25f, 0.3f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 4.9f, 5, 5.1f, 99};
  const float to[] = {0, 0, 0.5f, 1, 1, 2, 2, 4, 4, 4, 6, 6};
  for (std::size_t i = 0; i < std::size(from); ++i) {
    EXPECT_EQ(round_to_e2m1(from[i]), to[i]) << from[i];
    EXPECT_EQ(round_to_e2m1(-from[i]), -to[i]) << from[i];
  }
}

TEST(InputRuleTest, ColumnsComeInOrder) {
  const std::uint32_t order[] = {2, 0, 3, 1};
  EXPECT_EQ(followed({.order = order}, {10, 11, 12, 13}), (std::vector<float>{12, 10, 13, 11}));
}

TEST(InputRuleTest, Fp8HasAScaleForTheRowTheGroupOrAll) {
  const std::vector<float> x = {448, 17, -1, 4.48f, 0.1f, 0};
  EXPECT_EQ(followed({.rounding = Rounding::kE4M3}, x),
            (std::vector<float>{448, 16, -1, 4.5f, round_to_e4m3(0.1f), 0}));
  const auto by_group = followed({.rounding = Rounding::kE4M3, .group = 3}, x);
  EXPECT_FLOAT_EQ(by_group[3], 4.48f);
  EXPECT_EQ(by_group[1], 16);
  EXPECT_EQ(followed({.rounding = Rounding::kE4M3, .scale = 0.5f}, x)[0], 224);
  EXPECT_EQ(followed({.rounding = Rounding::kE4M3, .limit = 224}, x)[0], 224);
  // 447 / 448 is raised to 1, or to a half below it.
  EXPECT_EQ(followed({.rounding = Rounding::kE4M3, .is_power_of_two = true}, {447, 1.01f})[0], 448);
  EXPECT_EQ(followed({.rounding = Rounding::kE4M3}, {0, 0}), (std::vector<float>{0, 0}));
}

TEST(InputRuleTest, Fp4HasScalesOfGroups) {
  std::vector<float> x(32, 0.0f);
  x[0] = 6, x[1] = 2.6f, x[16] = 0.06f, x[17] = 0.021f;
  const auto nv = followed({.rounding = Rounding::kNvfp4, .scale = 0.01f}, x);
  const float scale = round_to_e4m3(0.06f / 6 / 0.01f) * 0.01f;
  EXPECT_EQ(nv[16], round_to_e2m1(0.06f / scale) * scale);
  EXPECT_NEAR(nv[1], 3, 0.2f);
  const auto mx = followed({.rounding = Rounding::kMxfp4}, x);
  EXPECT_EQ(mx[0], 6);
  EXPECT_EQ(mx[1], 3);
  EXPECT_EQ(mx[16], 0) << "a group of 32 has one scale";
}

TEST(InputRuleTest, Int8LeavesWhatIsLarge) {
  const auto plain = followed({.rounding = Rounding::kInt8}, {127, 60, 0.4f});
  EXPECT_EQ(plain, (std::vector<float>{127, 60, 0}));
  const auto apart = followed({.rounding = Rounding::kInt8, .threshold = 6}, {60.03f, 1.27f, 0.1f});
  EXPECT_EQ(apart[0], half_to_float(float_to_half(60.03f)));
  EXPECT_FLOAT_EQ(apart[1], 1.27f);
  EXPECT_FLOAT_EQ(apart[2], 0.1f);
  EXPECT_EQ(followed({.rounding = Rounding::kInt8, .scale = 0.1f}, {1e6f})[0], 12.7f);
}

}  // namespace
}  // namespace quire
