// Activation functions, soft caps, scaled sums and decays on every supported table: against the
// oracle, at the edges, and the same bits on all of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/kernels_for_tests.h"
#include "kernels/reference.h"

namespace quire {
namespace {

using testing::Random;

class GatesTest : public testing::KernelTest {};

constexpr Activation kKinds[] = {Activation::kSilu,    Activation::kGelu,
                                 Activation::kGeluTanh, Activation::kRelu,
                                 Activation::kReluSquared, Activation::kSigmoid,
                                 Activation::kTanh,    Activation::kSoftplus,
                                 Activation::kExp};

// All magnitudes, both signs.
std::vector<float> sweep() {
  std::vector<float> x = {0};
  for (float size = 1e-8f; size < 80; size *= 1.013f) {
    x.push_back(size);
    x.push_back(-size);
  }
  return x;
}

TEST_P(GatesTest, EveryKindOverAllMagnitudes) {
  const std::vector<float> x = sweep(), up = Random(3).normal(x.size());
  const auto n = static_cast<int>(x.size());
  std::vector<float> y(x.size()), product(x.size()), portable(x.size());
  for (Activation kind : kKinds) {
    kernels().act(kind, x.data(), n, y.data());
    kernels().act_mul(kind, x.data(), up.data(), n, product.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = reference::activation(kind, x[i]);
      // gelu takes the small end of 1 + erf as PyTorch does: to a rounding of 1, times x
      const bool is_gelu = kind == Activation::kGelu || kind == Activation::kGeluTanh;
      const double most =
          7e-7 * std::abs(expected) + 1e-30 + (is_gelu && x[i] < 0 ? 2e-7 * std::abs(x[i]) : 0);
      ASSERT_NEAR(y[i], expected, most) << static_cast<int>(kind) << " of " << x[i];
      ASSERT_EQ(product[i], y[i] * up[i]);
    }
    kScalarKernels.act(kind, x.data(), n, portable.data());
    EXPECT_EQ(std::memcmp(y.data(), portable.data(), y.size() * sizeof(float)), 0);
    for (int count : {1, 5, 15, 17, 40}) {  // and a partial vector is like a whole one
      std::vector<float> some(static_cast<std::size_t>(count) + 1, 77);
      kernels().act(kind, x.data() + 3, count, some.data());
      EXPECT_EQ(std::memcmp(some.data(), &y[3], static_cast<std::size_t>(count) * 4), 0);
      EXPECT_EQ(some.back(), 77);
    }
  }
}

TEST_P(GatesTest, KindsAtTheEdges) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {-1e30f, -100, 100, 1e30f, infinity, nan};
  for (Activation kind : kKinds) {
    std::vector<float> y(x.size());
    kernels().act(kind, x.data(), static_cast<int>(x.size()), y.data());
    EXPECT_TRUE(std::isnan(y.back())) << static_cast<int>(kind);
    const bool is_bounded = kind == Activation::kSigmoid || kind == Activation::kTanh;
    EXPECT_EQ(y[0], kind == Activation::kTanh ? -1.0f : 0.0f) << static_cast<int>(kind);
    EXPECT_NEAR(y[1], kind == Activation::kTanh ? -1.0f : 0.0f, 1e-30) << static_cast<int>(kind);
    if (kind == Activation::kExp || kind == Activation::kReluSquared) continue;
    EXPECT_EQ(y[2], is_bounded ? 1.0f : 100.0f) << static_cast<int>(kind);
    EXPECT_EQ(y[3], is_bounded ? 1.0f : 1e30f) << static_cast<int>(kind);
    EXPECT_EQ(y[4], is_bounded ? 1.0f : infinity) << static_cast<int>(kind);
  }
}

TEST_P(GatesTest, NoneIsTheValueItself) {
  const std::vector<float> x = sweep(), up = Random(4).normal(x.size());
  std::vector<float> product(x.size());
  kernels().act_mul(Activation::kNone, x.data(), up.data(), static_cast<int>(x.size()),
                    product.data());
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(product[i], x[i] * up[i]);
}

TEST_P(GatesTest, SiluAtTheEdges) {
  const std::vector<float> gate = {
      0,  -1e30f, -100,  -88,    -87.5f,
      88, 100,    1e30f, 1e-30f, std::numeric_limits<float>::quiet_NaN(),
      20, -20};
  const std::vector<float> up(gate.size(), 1);
  std::vector<float> y(gate.size());
  kernels().silu_mul(gate.data(), up.data(), static_cast<int>(gate.size()), y.data());
  std::vector<float> again(gate.size());
  kernels().act_mul(Activation::kSilu, gate.data(), up.data(), static_cast<int>(gate.size()),
                    again.data());
  EXPECT_EQ(std::memcmp(y.data(), again.data(), y.size() * sizeof(float)), 0);
  const std::vector<double> expected = reference::silu_mul(gate, up);
  for (std::size_t i = 0; i < gate.size(); ++i) {
    if (std::isnan(gate[i])) {
      EXPECT_TRUE(std::isnan(y[i]));
    } else {
      EXPECT_NEAR(y[i], expected[i], 1e-6 * std::abs(expected[i]) + 1e-30) << gate[i];
    }
  }
}

TEST_P(GatesTest, SiluTimesUp) {
  Random random(13);
  for (std::size_t count : {8u, 16u, 63u, 64u, 80u, 100u, 576u, 2048u}) {
    const std::vector<float> x = random.normal(count, 2), w = random.normal(count);
    std::vector<float> y(count), again(count);
    kernels().silu_mul(x.data(), w.data(), static_cast<int>(count), y.data());
    kernels().act_mul(Activation::kSilu, x.data(), w.data(), static_cast<int>(count), again.data());
    EXPECT_EQ(y, again);
    const std::vector<double> silu = reference::silu_mul(x, w);
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_NEAR(y[i], silu[i], 1e-6 * (1 + std::abs(silu[i])));
  }
}

TEST_P(GatesTest, SoftCapsAndScaledSums) {
  std::vector<float> x = sweep();
  const auto n = static_cast<int>(x.size());
  const std::vector<float> before = Random(4).normal(x.size());
  std::vector<float> y(x.size()), sum = before, product(x.size());
  kernels().soft_cap(30, x.data(), n, y.data());
  kernels().add_scaled(x.data(), 0.37f, n, sum.data());
  kernels().scaled(x.data(), 0.37f, n, product.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double capped = 30 * std::tanh(x[i] / 30.0);
    EXPECT_NEAR(y[i], capped, 5e-7 * std::abs(capped));
    EXPECT_EQ(sum[i], std::fma(x[i], 0.37f, before[i]));
    EXPECT_EQ(product[i], x[i] * 0.37f);
  }
  kernels().soft_cap(30, x.data(), n, x.data());
  EXPECT_EQ(x, y);
}

TEST_P(GatesTest, Decays) {
  Random random(5);
  for (std::size_t count : {1u, 7u, 16u, 48u}) {
    const std::vector<float> x = random.normal(count, 5), bias = random.normal(count, 3);
    std::vector<float> rates = random.normal(count), steps(count), decays(count), alone(count);
    for (float& rate : rates) rate = -std::exp(rate);
    DecayTask task{static_cast<int>(count), x.data(),  bias.data(), rates.data(), 0.01f, 4.0f,
                   steps.data(),            decays.data()};
    kernels().decays(task);
    task.steps = nullptr;
    task.decays = alone.data();
    kernels().decays(task);
    EXPECT_EQ(alone, decays);
    for (std::size_t i = 0; i < count; ++i) {
      const double step = std::clamp(
          reference::activation(Activation::kSoftplus, double{x[i]} + bias[i]), 0.01, 4.0);
      EXPECT_NEAR(steps[i], step, 1e-6 * step);
      EXPECT_NEAR(decays[i], std::exp(rates[i] * step), 1e-5 * std::exp(rates[i] * step) + 1e-9);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, GatesTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
