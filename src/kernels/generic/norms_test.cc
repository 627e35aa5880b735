// Norms of one row on every supported table: against the oracle, and the same bits on all of them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/kernels_for_tests.h"
#include "kernels/reference.h"

namespace quire {
namespace {

using testing::Random;

class NormsTest : public testing::KernelTest {
 protected:
  // Runs the norm on this table and on the portable one, from an odd address, and compares.
  template <typename Norm>
  void expect(const Norm& norm, const std::vector<double>& expected) {
    std::vector<float> y(expected.size() + 1, 77), portable(expected.size() + 1, 77);
    norm(kernels(), &y[0]);
    norm(kScalarKernels, &portable[0]);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(y[i], expected[i], 1e-6 * (1 + std::abs(expected[i]))) << i;
    }
    EXPECT_EQ(std::memcmp(y.data(), portable.data(), y.size() * sizeof(float)), 0);
    EXPECT_EQ(y.back(), 77);
  }
};

constexpr std::size_t kCounts[] = {1, 3, 8, 16, 31, 32, 33, 63, 64, 80, 100, 576, 2048};

TEST_P(NormsTest, EqualTheOracleAtOddSizes) {
  Random random(13);
  for (std::size_t count : kCounts) {
    SCOPED_TRACE(count);
    const auto n = static_cast<int>(count);
    std::vector<float> x = random.normal(count, 2);
    for (float& value : x) value += 3;  // a mean that has to be taken off
    const std::vector<float> w = random.normal(count), b = random.normal(count);
    using Table = const KernelTable&;
    expect([&](Table t, float* y) { t.rmsnorm(x.data(), w.data(), 1e-5f, n, y); },
           reference::rmsnorm(x, w, 1e-5f));
    expect([&](Table t, float* y) { t.l2norm(x.data(), 1e-6f, 0.125f, n, y); },
           reference::l2norm(x, 1e-6f, 0.125));
    if (count < 3) continue;  // too few values for a variance worth dividing by
    expect([&](Table t, float* y) { t.layernorm(x.data(), w.data(), b.data(), 1e-5f, n, y); },
           reference::layernorm(x, w, b, 1e-5f));
    expect([&](Table t, float* y) { t.layernorm(x.data(), w.data(), nullptr, 1e-5f, n, y); },
           reference::layernorm(x, w, {}, 1e-5f));
    expect([&](Table t, float* y) { t.layernorm(x.data(), nullptr, nullptr, 1e-5f, n, y); },
           reference::layernorm(x, {}, {}, 1e-5f));
  }
}

TEST_P(NormsTest, GatedBeforeAndAfter) {
  Random random(14);
  for (std::size_t count : kCounts) {
    SCOPED_TRACE(count);
    const std::vector<float> x = random.normal(count, 2), gate = random.normal(count, 3),
                             w = random.normal(count);
    std::vector<double> after = reference::rmsnorm(x, w, 1e-5f);
    std::vector<float> gated;
    for (std::size_t i = 0; i < count; ++i) {
      const double silu = reference::activation(Activation::kSilu, gate[i]);
      after[i] *= silu;
      gated.push_back(static_cast<float>(x[i] * silu));
    }
    for (bool is_first : {true, false}) {
      expect(
          [&](const KernelTable& t, float* y) {
            t.rmsnorm_gated(x.data(), gate.data(), w.data(), 1e-5f, static_cast<int>(count),
                            is_first, y);
          },
          is_first ? reference::rmsnorm(gated, w, 1e-5f) : after);
    }
  }
}

TEST_P(NormsTest, InPlaceAndNotFinite) {
  Random random(15);
  const std::vector<float> x = random.normal(50), w = random.normal(50);
  std::vector<float> y(50), same = x;
  kernels().layernorm(x.data(), w.data(), w.data(), 1e-5f, 50, y.data());
  kernels().layernorm(same.data(), w.data(), w.data(), 1e-5f, 50, same.data());
  EXPECT_EQ(y, same);
  same[49] = std::numeric_limits<float>::quiet_NaN();
  kernels().layernorm(same.data(), w.data(), nullptr, 1e-5f, 50, y.data());
  for (float value : y) EXPECT_TRUE(std::isnan(value));
}

INSTANTIATE_TEST_SUITE_P(Isa, NormsTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
