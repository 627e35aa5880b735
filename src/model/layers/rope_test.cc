#include "model/layers/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace quire {
namespace {

TEST(RopeTest, FrequenciesFallGeometrically) {
  RopeConfig rope;
  rope.theta = 10000;
  const auto f = rope_frequencies(rope, 8);
  ASSERT_EQ(f.size(), 4u);
  EXPECT_DOUBLE_EQ(f[0], 1);
  EXPECT_NEAR(f[1], 0.1, 1e-12);
  EXPECT_NEAR(f[3], 0.001, 1e-12);
}

TEST(RopeTest, LinearScalingStretchesPositions) {
  RopeConfig rope;
  rope.theta = 10000;
  const RopeTable plain = make_rope_table(rope, 8, 5);
  rope.scaling = RopeScaling::kLinear;
  rope.factor = 4;
  const RopeTable stretched = make_rope_table(rope, 8, 17);
  for (int i = 0; i < 4; ++i) {
    EXPECT_FLOAT_EQ(stretched.cosines[16 * 4 + i], plain.cosines[4 * 4 + i]);
  }
}

// The published values of Llama 3.1: factor 8, low 1, high 4, 8192 positions, theta 500000.
TEST(RopeTest, Llama3ScalingKeepsShortAndStretchesLongWavelengths) {
  RopeConfig rope;
  rope.theta = 500000;
  const auto plain = rope_frequencies(rope, 128);
  rope.scaling = RopeScaling::kLlama3;
  rope.factor = 8;
  rope.low_freq_factor = 1;
  rope.high_freq_factor = 4;
  rope.original_context = 8192;
  const auto scaled = rope_frequencies(rope, 128);
  EXPECT_DOUBLE_EQ(scaled[0], plain[0]);
  EXPECT_DOUBLE_EQ(scaled[63], plain[63] / 8);
  for (int i = 1; i < 64; ++i) {
    EXPECT_LT(scaled[i], scaled[i - 1]);
    EXPECT_LE(scaled[i], plain[i]);
    EXPECT_GE(scaled[i], plain[i] / 8);
  }
}

// Qwen2.5's published values: factor 4 of 32768 positions, theta 1000000, heads of 128. 32 turns
// lie at index 23.6, one turn at 39.6.
TEST(RopeTest, YarnKeepsFastAndStretchesSlowFrequencies) {
  RopeConfig rope;
  rope.theta = 1000000;
  const auto plain = rope_frequencies(rope, 128);
  rope.scaling = RopeScaling::kYarn;
  rope.factor = 4;
  rope.original_context = 32768;
  const auto scaled = rope_frequencies(rope, 128);
  for (int i = 0; i <= 23; ++i) EXPECT_DOUBLE_EQ(scaled[i], plain[i]) << i;
  for (int i = 40; i < 64; ++i) EXPECT_DOUBLE_EQ(scaled[i], plain[i] / 4) << i;
  const double divided = (30.0 - 23) / (40 - 23);
  EXPECT_DOUBLE_EQ(scaled[30], plain[30] / 4 * divided + plain[30] * (1 - divided));
  rope.magnitude = 1.25;
  EXPECT_FLOAT_EQ(make_rope_table(rope, 128, 1).cosines[0], 1.25f);
}

TEST(RopeTest, OnlyTheFirstValuesOfAHeadTurn) {
  RopeConfig rope;
  rope.dims = 4;
  const auto f = rope_frequencies(rope, 16);
  ASSERT_EQ(f.size(), 2u);
  EXPECT_NEAR(f[1], 0.01, 1e-15);
}

// One set of factors for all positions: a table that is longer than the first context has the long
// ones from its first position on.
TEST(RopeTest, LongRopeChoosesItsFactorsByTheLengthOfTheTable) {
  RopeConfig rope;
  rope.scaling = RopeScaling::kLongRope;
  rope.original_context = 16;
  rope.short_factors = {1, 2};
  rope.long_factors = {4, 8};
  rope.magnitude = 1.25;
  const auto angle = [&](int positions, std::size_t at) {
    const RopeTable table = make_rope_table(rope, 4, positions);
    return std::atan2(table.sines[at], table.cosines[at]);
  };
  EXPECT_FLOAT_EQ(angle(16, 2), 1.0f);
  EXPECT_FLOAT_EQ(angle(16, 3), 0.01f / 2);
  EXPECT_FLOAT_EQ(angle(17, 2), 0.25f);
  EXPECT_FLOAT_EQ(angle(17, 3), 0.01f / 8);
  EXPECT_FLOAT_EQ(make_rope_table(rope, 4, 8).cosines[0], 1.25f);
}

TEST(RopeTest, FactorsPerFrequencyDivide) {
  RopeConfig rope;
  rope.theta = 10000;
  rope.frequency_factors = {1, 2, 4, 8};
  const auto f = rope_frequencies(rope, 8);
  EXPECT_NEAR(f[3], 0.001 / 8, 1e-15);
}

}  // namespace
}  // namespace quire
