// WeightLoader: takes tensors by canonical name, checks their shapes against what the architecture
// expects and hands matrices to the backend for packing. Matrices are packed on the calling
// thread's backend, one after another. Used while a model is built, then gone.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/model.h"

namespace quire {

class WeightLoader {
 public:
  WeightLoader(const TensorFinder& find, Backend& backend, WeightScheme scheme,
               std::size_t tensors, const LoadProgress& progress)
      : find_(find),
        backend_(backend),
        scheme_(scheme),
        tensors_(tensors),
        progress_(progress) {}

  // A matrix of [rows, columns], packed for products. W8A8 is for the layers: embedding and head
  // stay as stored, as in checkpoints that were quantized beforehand.
  Result<Weight> matrix(const std::string& name, int rows, int columns) {
    return load(name, rows, columns, true);
  }
  // One that rows are gathered from and no product reads.
  Result<Weight> table(const std::string& name, int rows, int columns) {
    return load(name, rows, columns, false);
  }

  // A vector of `count` values as float32.
  Result<std::vector<float>> vector(const std::string& name, int count);

  std::size_t bytes() const { return bytes_; }  // of all packed matrices so far

 private:
  Result<Weight> load(const std::string& name, int rows, int columns, bool is_packed);

  const TensorFinder& find_;
  Backend& backend_;
  WeightScheme scheme_;
  std::size_t tensors_;
  const LoadProgress& progress_;
  std::size_t done_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace quire
