// TensorView: named rows of a file or buffer: an element type, a shape and bytes that somebody else
// owns (a MappedFile, a random model). Shapes are outermost first: [rows, columns] for a matrix,
// the last dimension contiguous (and whole blocks). Codes that mean nothing without numbers beside
// them have those: scales of the codes, and the scale of what is multiplied with them.
// Plain values; any thread. What a backend takes is a WeightView, made of these (weight_view.h).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/input_rule.h"
#include "tensor/weight_delta.h"

namespace quire {

// value = code * scale. One scale serves `per_rows` rows by `per_columns` columns; scales lie row
// by row.
struct Scales {
  const float* values = nullptr;  // null: codes are values, or have their scales in their blocks
  std::size_t per_rows = 1;
  std::size_t per_columns = 0;    // 0: all columns
  std::size_t first_row = 0;      // which row of the scaled tensor row 0 is

  explicit operator bool() const { return values != nullptr; }
  bool is_per_row() const { return per_columns == 0; }  // no row has two

  // Those of the rows from `row` on.
  Scales from(std::size_t row) const {
    Scales rest = *this;
    if (values != nullptr) rest.first_row += row;
    return rest;
  }
  // REQUIRES: values; the code's place lies in the tensor, whose rows have `columns`.
  float at(std::size_t row, std::size_t column, std::size_t columns) const {
    const std::size_t in_row = is_per_row() ? 1 : (columns + per_columns - 1) / per_columns;
    return values[(first_row + row) / per_rows * in_row +
                  (is_per_row() ? 0 : column / per_columns)];
  }
  // Of a row that has one.  REQUIRES: is_per_row().
  float of_row(std::size_t row) const { return values[(first_row + row) / per_rows]; }
};

struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::size_t> shape;   // outermost first; never empty
  const std::byte* data = nullptr;  // row_bytes(dtype, columns()) * rows() bytes
  Scales scales{};                  // of I8 weights
  float input_scale = 0;            // of I8 weights: the one scale of their input; 0: per token
  InputRule input{};                // what becomes of their input before
  std::span<const WeightDelta> deltas{};  // of adapters; of a stack: that its matrices have some

  std::size_t columns() const { return shape.empty() ? 1 : shape.back(); }
  std::size_t rows() const {
    std::size_t count = 1;
    for (std::size_t i = 0; i + 1 < shape.size(); ++i) count *= shape[i];
    return count;
  }
  std::size_t bytes() const { return rows() * row_bytes(dtype, columns()); }
};

}  // namespace quire
