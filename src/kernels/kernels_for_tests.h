// What the tests of kernels share: random floats and matrices, and the suite over every table that
// this machine supports. Tests alone include it; one thread.
// Each test file derives its own suite: class NormTest : public testing::KernelTest {};
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <span>
#include <vector>

#include "kernels/random_weights_for_tests.h"
#include "kernels/select.h"

namespace quire::testing {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::vector<float> normal(std::size_t count, float scale = 1) {
    std::normal_distribution<float> distribution(0, scale);
    std::vector<float> x(count);
    for (float& value : x) value = distribution(engine_);
    return x;
  }
  // A matrix of any type with random codes and reasonable scales; starts at an odd address.
  std::vector<std::byte> matrix(DType dtype, std::size_t rows, std::size_t columns) {
    std::vector<std::byte> bytes(1 + rows * row_bytes(dtype, columns));
    fill_random_weights(dtype, engine_, 0.1f, std::span(bytes).subspan(1));
    return bytes;
  }

 private:
  std::mt19937 engine_;
};

class KernelTest : public ::testing::TestWithParam<const KernelTable*> {
 protected:
  const KernelTable& kernels() const { return *GetParam(); }
};

}  // namespace quire::testing
