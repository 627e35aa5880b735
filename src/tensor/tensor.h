// TensorView: named rows of a file or buffer: an element type, a shape and bytes that somebody else
// owns (a MappedFile, a WeightSource). Shapes are outermost first: [rows, columns] for a matrix,
// the last dimension contiguous (and whole blocks). Plain value; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace quire {

struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::size_t> shape;     // outermost first; never empty
  const std::byte* data = nullptr;    // row_bytes(dtype, columns()) * rows() bytes
  const float* row_scales = nullptr;  // [rows] of I8 weights: value = code * scale of its row
  float input_scale = 0;              // of I8 weights: the one scale of their input; 0: per token

  std::size_t columns() const { return shape.empty() ? 1 : shape.back(); }
  std::size_t rows() const {
    std::size_t count = 1;
    for (std::size_t i = 0; i + 1 < shape.size(); ++i) count *= shape[i];
    return count;
  }
  std::size_t bytes() const { return rows() * row_bytes(dtype, columns()); }
};

}  // namespace quire
