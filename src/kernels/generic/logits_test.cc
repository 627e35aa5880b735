// What a sampler asks of a row of logits, on every supported table.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/philox.h"
#include "kernels/kernels_for_tests.h"
#include "kernels/reference.h"

namespace quire {
namespace {

using testing::Random;

class LogitsTest : public testing::KernelTest {};

TEST_P(LogitsTest, Logits) {
  Random random(17);
  for (std::size_t count : {1u, 5u, 16u, 1000u, 49152u, 150001u}) {
    std::vector<float> logits = random.normal(count, 4);
    const int n = static_cast<int>(count);
    const float max = kernels().max_value(logits.data(), n);
    EXPECT_EQ(max, *std::max_element(logits.begin(), logits.end()));
    EXPECT_NEAR(max + std::log(kernels().sum_exp(logits.data(), n, max)),
                reference::logsumexp(logits), 1e-6);
    logits[count / 2] = 100;
    EXPECT_EQ(kernels().first_above(logits.data(), 0, n, 99), n / 2);
    EXPECT_EQ(kernels().first_above(logits.data(), n / 2 + 1, n, 99), n);
    EXPECT_EQ(kernels().first_above(logits.data(), 0, n, 100), n);
    logits[count / 2] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(kernels().sum_exp(logits.data(), n, 1)));
  }
}

TEST_P(LogitsTest, PhiloxWordsAreThoseOfTheirStreams) {
  const std::uint64_t seed = 0x123456789abcdef0, position = 0x500000007, stream = 0x9fffffff0;
  for (const int groups : {1, 3, 16, 64}) {
    std::vector<std::uint32_t> words(static_cast<std::size_t>(4 * groups));
    const std::uint32_t largest =
        kernels().philox_words(seed, position, stream - 64, groups, words.data());
    EXPECT_EQ(largest, *std::max_element(words.begin(), words.end()));
    for (int g = 0; g < groups; ++g) {
      const auto expected = philox(seed, position, stream - 64 + static_cast<std::uint64_t>(g));
      for (int i = 0; i < 4; ++i) EXPECT_EQ(words[i * groups + g], expected[i]) << g << " " << i;
    }
  }
}

TEST_P(LogitsTest, Softmax) {
  Random random(19);
  for (std::size_t count : {1u, 5u, 16u, 33u, 60u, 128u, 512u}) {
    std::vector<float> x = random.normal(count, 4), y(count), portable(count);
    const int n = static_cast<int>(count);
    kernels().softmax(x.data(), n, y.data());
    kScalarKernels.softmax(x.data(), n, portable.data());
    EXPECT_EQ(y, portable);
    const std::vector<double> expected = reference::softmax(x);
    for (std::size_t i = 0; i < count; ++i) EXPECT_NEAR(y[i], expected[i], 3e-6 * expected[i]);
    x[count / 2] = std::numeric_limits<float>::quiet_NaN();
    kernels().softmax(x.data(), n, x.data());
    for (float value : x) EXPECT_TRUE(std::isnan(value));
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, LogitsTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
