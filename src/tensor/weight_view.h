// WeightView: all that a product reads of a weight, by value: one matrix, or several of one shape
// among which a product chooses (experts, heads), each wherever its file has it; for each the codes
// and the scales that make numbers of them. A GGUF type has its scales inside its blocks; int8 has
// them beside; floats are their own values. A method of quantization that needs more (zeros, a
// codebook, an order of columns) adds a member here, and its meaning in `read_row` of a backend.
// The type of the codes is the file's. Which tiles a backend makes of it (Weight::packed_dtype) and
// in which form it reads activations (ActivationForm) are two other things, and its own affair.
// Owns nothing. Plain value; any thread. Made by model/weights, taken by Backend::adopt.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace quire {

struct WeightView {
  // One matrix [rows, columns].
  struct Matrix {
    const std::byte* codes = nullptr;  // [rows] of row_bytes(dtype, columns)
    Scales scales;
    InputRule input{};                 // what becomes of its input before
    std::span<const WeightDelta> deltas{};  // what adapters add to its values
  };

  std::string name;  // of the (first) tensor
  DType dtype = DType::kF32;
  std::size_t rows = 0, columns = 0;
  std::vector<Matrix> matrices;  // [experts]; never empty
  float input_scale = 0;         // the one scale of what is multiplied with it; 0: per token

  // A matrix is a weight. More dimensions than two are rows.
  WeightView(const TensorView& matrix);  // NOLINT: implicit

  // Of matrices that agree in shape, type and input scale: an error names the one that does not.
  // REQUIRES: one matrix or more.
  static Result<WeightView> of(std::span<const TensorView> matrices);

  std::size_t experts() const { return matrices.size(); }
  bool has_deltas() const {
    return std::any_of(matrices.begin(), matrices.end(),
                       [](const Matrix& matrix) { return !matrix.deltas.empty(); });
  }
  std::size_t row_size() const { return row_bytes(dtype, columns); }
  std::size_t matrix_bytes() const { return rows * row_size(); }  // of codes
  const std::byte* row(std::size_t expert, std::size_t row) const {
    return matrices[expert].codes + row * row_size();
  }
};

}  // namespace quire
