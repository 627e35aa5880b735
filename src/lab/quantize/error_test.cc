// How much of a weight each type loses: the root of the mean square error over that of the values,
// of normal values and of ones with long tails, read back by kernels/dequantize. The bounds are
// what quantizers of these formats reach; a fault in packing or in a search exceeds them at once.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "base/philox.h"
#include "formats/quantize/row_quantizers.h"
#include "kernels/dequantize.h"

namespace quire {
namespace {

constexpr std::size_t kValues = 64 * 1024;

std::vector<float> random_values(bool has_tails) {
  std::vector<float> values(kValues);
  for (std::size_t i = 0; i < kValues; ++i) {
    const double normal = std::sqrt(-2 * std::log(philox_uniform(7, i, 0))) *
                          std::cos(2 * M_PI * philox_uniform(7, i, 1));
    values[i] = static_cast<float>(0.02 * normal * (has_tails ? std::exp(normal * 0.4) : 1.0));
  }
  return values;
}

double relative_error(DType dtype, const std::vector<float>& values) {
  std::vector<std::byte> row(row_bytes(dtype, values.size()));
  quantize_row(dtype, values.data(), values.size(), row.data());
  std::vector<float> back(values.size());
  dequantize_row(dtype, row.data(), values.size(), back.data());
  double wrong = 0, all = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    wrong += std::pow(double{back[i]} - values[i], 2);
    all += std::pow(double{values[i]}, 2);
  }
  return std::sqrt(wrong / all);
}

TEST(QuantizeError, IsWithinWhatTheFormatsReach) {
  struct Bound {
    DType dtype;
    double normal, tails;
  };
  constexpr Bound kBounds[] = {
      {DType::kF16, 0.0003, 0.0003}, {DType::kBF16, 0.002, 0.002},  {DType::kQ8_0, 0.006, 0.009},
      {DType::kQ6_K, 0.018, 0.027},  {DType::kQ5_K, 0.038, 0.039},  {DType::kQ5_1, 0.040, 0.041},
      {DType::kQ5_0, 0.045, 0.070},  {DType::kQ4_K, 0.075, 0.078},  {DType::kQ4_1, 0.082, 0.084},
      {DType::kQ4_0, 0.090, 0.140},  {DType::kIQ4_NL, 0.079, 0.108}, {DType::kQ3_K, 0.152, 0.208},
      {DType::kQ2_K, 0.290, 0.255},
  };
  const std::vector<float> normal = random_values(false), tails = random_values(true);
  for (const Bound& bound : kBounds) {
    const double of_normal = relative_error(bound.dtype, normal);
    const double of_tails = relative_error(bound.dtype, tails);
    std::printf("%-7s relative RMS error: normal %.5f, long tails %.5f\n",
                std::string(dtype_name(bound.dtype)).c_str(), of_normal, of_tails);
    EXPECT_LT(of_normal, bound.normal) << dtype_name(bound.dtype);
    EXPECT_LT(of_tails, bound.tails) << dtype_name(bound.dtype);
  }
}

TEST(QuantizeError, OfWhatATypeHoldsExactlyIsNothing) {
  std::vector<float> values(kValues);
  for (std::size_t i = 0; i < kValues; ++i) {
    values[i] = 0.25f * static_cast<float>(static_cast<int>(i * 7 % 16) - 8);
  }
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0}) {
    EXPECT_LT(relative_error(dtype, values), 1e-3) << dtype_name(dtype);
  }
}

}  // namespace
}  // namespace quire
