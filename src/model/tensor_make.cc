#include "model/tensor_make.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

float value_at(const TensorView& tensor, std::size_t i) {
  if (tensor.dtype == DType::kF32) return reinterpret_cast<const float*>(tensor.data)[i];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(tensor.data)[i];
  return tensor.dtype == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

float converted(float value, Convert convert) {
  switch (convert) {
    case Convert::kNone:
    case Convert::kFirstLessSecond:
    case Convert::kUnitRows: return value;
    case Convert::kPlusOne: return 1 + value;
    case Convert::kMinusExp: return -std::exp(value);
  }
  return value;
}

// A code times its scale, as BF16.
std::uint16_t rounded_at(const TensorView& tensor, std::size_t row, std::size_t column) {
  const std::byte code = tensor.data[row * tensor.columns() + column];
  const float value = tensor.dtype == DType::kF8 ? e4m3_to_float(static_cast<std::uint8_t>(code))
                                                 : static_cast<std::int8_t>(code);
  return float_to_bf16(value * tensor.scales.at(row, column, tensor.columns()));
}

}  // namespace

std::size_t stored_row(const Stored& stored, std::size_t row) {
  if (stored.run == 0) return stored.first + row;
  return stored.first + row / stored.run * stored.stride + row % stored.run;
}

bool is_view(const Stored& stored) {
  return stored.run == 0 && !stored.is_transposed && stored.convert == Convert::kNone;
}

bool can_exchange(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16 ||
         has_scales_beside(dtype);
}

DType made_dtype(const TensorView& file, const Stored& stored) {
  if (stored.is_transposed && has_scales_beside(file.dtype)) return DType::kBF16;
  const bool keeps_type =
      stored.convert == Convert::kNone || stored.convert == Convert::kUnitRows;
  return keeps_type ? file.dtype : DType::kF32;
}

namespace {

void put_value(DType dtype, float value, std::byte* to) {
  if (dtype == DType::kF32) {
    std::memcpy(to, &value, sizeof value);
    return;
  }
  const std::uint16_t bits = dtype == DType::kF16 ? float_to_half(value) : float_to_bf16(value);
  std::memcpy(to, &bits, sizeof bits);
}

std::vector<std::byte> unit_rows(const TensorView& file, std::size_t rows, std::size_t columns) {
  constexpr double kLeast = 1e-12;  // of a length, as in the code of such models
  const std::size_t value_bytes = dtype_info(file.dtype).block_bytes;
  std::vector<std::byte> bytes(rows * columns * value_bytes);
  for (std::size_t row = 0; row < rows; ++row) {
    double squares = 0;
    for (std::size_t i = 0; i < columns; ++i) {
      const double value = value_at(file, row * columns + i);
      squares += value * value;
    }
    const double length = std::max(std::sqrt(squares), kLeast);
    for (std::size_t i = row * columns; i < (row + 1) * columns; ++i) {
      put_value(file.dtype, static_cast<float>(value_at(file, i) / length),
                &bytes[i * value_bytes]);
    }
  }
  return bytes;
}

}  // namespace

std::vector<float> make_scales(const TensorView& file, const Stored& stored, std::size_t rows) {
  const std::size_t columns = file.columns();
  const std::size_t step = file.scales.is_per_row() ? columns : file.scales.per_columns;
  std::vector<float> scales;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; column += step) {
      scales.push_back(file.scales.at(stored_row(stored, row), column, columns));
    }
  }
  return scales;
}

std::vector<std::byte> make_tensor(const TensorView& file, const Stored& stored,
                                   const std::vector<std::size_t>& wanted) {
  QUIRE_CHECK(!wanted.empty() && file.data != nullptr, "'{}' is made of nothing", file.name);
  QUIRE_CHECK(stored.convert == Convert::kNone || wanted.size() == 1 || !stored.is_transposed,
              "'{}': values are converted in the order of the file", file.name);
  QUIRE_CHECK(stored.convert == Convert::kNone || dtype_info(file.dtype).block_elements == 1,
              "'{}': {} cannot be read value by value", file.name, dtype_name(file.dtype));
  std::size_t rows = 1;
  for (std::size_t i = 0; i + 1 < wanted.size(); ++i) rows *= wanted[i];
  std::size_t columns = wanted.back();
  if (stored.convert == Convert::kUnitRows) return unit_rows(file, rows, columns);
  if (stored.convert == Convert::kFirstLessSecond) {
    std::vector<std::byte> bytes(columns * sizeof(float));
    auto* out = reinterpret_cast<float*>(bytes.data());
    for (std::size_t i = 0; i < columns; ++i) {
      out[i] = value_at(file, i) - value_at(file, columns + i);
    }
    return bytes;
  }
  if (wanted.size() == 1 && !is_view(stored) && stored.convert == Convert::kNone) {
    std::swap(rows, columns);  // a woven vector: its values are rows of one column
  }
  if (stored.convert != Convert::kNone) {
    std::vector<std::byte> bytes(rows * columns * sizeof(float));
    auto* out = reinterpret_cast<float*>(bytes.data());
    for (std::size_t i = 0; i < rows * columns; ++i) {
      out[i] = converted(value_at(file, stored_row(stored, i)), stored.convert);
    }
    return bytes;
  }
  if (stored.is_transposed && has_scales_beside(file.dtype)) {
    std::vector<std::byte> bytes(rows * columns * sizeof(std::uint16_t));
    auto* out = reinterpret_cast<std::uint16_t*>(bytes.data());
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < columns; ++column) {
        *out++ = rounded_at(file, stored.column + column, stored_row(stored, row));
      }
    }
    return bytes;
  }
  const std::size_t row_size = row_bytes(file.dtype, columns);
  std::vector<std::byte> bytes(rows * row_size);
  if (!stored.is_transposed) {
    for (std::size_t row = 0; row < rows; ++row) {
      std::memcpy(&bytes[row * row_size], file.data + stored_row(stored, row) * row_size, row_size);
    }
    return bytes;
  }
  const std::size_t size = dtype_info(file.dtype).block_bytes;
  const std::size_t total = stored.total == 0 ? rows : stored.total;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::byte* in = file.data + stored_row(stored, row) * size;
    std::byte* out = &bytes[row * row_size];
    for (std::size_t column = 0; column < columns; ++column) {
      std::memcpy(out + column * size, in + (stored.column + column) * total * size, size);
    }
  }
  return bytes;
}

}  // namespace quire
