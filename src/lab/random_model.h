// RandomModel: a model of a named shape with seeded random weights, made in memory: for benchmarks
// that need no file, and for tests that need a model of every kind. Weights are a pure function of
// (seed, name of the tensor, type): the same on every machine and with any number of threads.
// Values have a variance of 1/columns, so that activations keep their size through the layers.
// The finder makes a tensor when it is first asked for and keeps it as long as a copy of the finder
// lives. One thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "model/architecture.h"

namespace quire {

struct RandomModel {
  Design design;
  TensorFinder find;
};

struct RandomModelOptions {
  DType dtype = DType::kF32;  // of the matrices; see matrix_dtype. I8: of the layers, the rest BF16
  std::uint64_t seed = 1;
  int threads = 1;  // that fill the tensors
};

// One of random_shapes() (model/registry.h); an unknown name is refused with the list.
Result<RandomModel> make_random_model(std::string_view shape, const RandomModelOptions& options);

// The same for a design of the caller's.
RandomModel make_random_model(Design design, const RandomModelOptions& options);

// The type that a matrix with so many columns gets: as in files, a block type whose blocks do not
// divide the row gives way to Q8_0, and that to F16.
DType matrix_dtype(DType wanted, std::size_t columns);

// What a model of such weights is called: int8 weights come with int8 activations.
constexpr std::string_view weight_type_name(DType dtype) {
  return dtype == DType::kI8 ? "W8A8" : dtype_name(dtype);
}

}  // namespace quire
