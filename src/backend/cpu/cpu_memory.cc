#include "backend/cpu/cpu_memory.h"

#include <cstring>

#include "kernels/dequantize.h"

namespace quire {

void read_row(const WeightView& weight, std::size_t expert, std::size_t row, float* out) {
  QUIRE_CHECK(expert < weight.experts() && row < weight.rows,
              "row {} of matrix {} of '{}', which has {} of {} rows", row, expert, weight.name,
              weight.experts(), weight.rows);
  const std::size_t columns = weight.columns;
  dequantize_row(weight.dtype, weight.row(expert, row), columns, out);
  const Scales& scales = weight.matrices[expert].scales;
  for (std::size_t i = 0; scales && i < columns; ++i) out[i] *= scales.at(row, i, columns);
  if (const std::uint32_t* order = weight.matrices[expert].input.order; order != nullptr) {
    const std::vector<float> codes(out, out + columns);
    for (std::size_t i = 0; i < columns; ++i) out[order[i]] = codes[i];
  }
  for (const WeightDelta& delta : weight.matrices[expert].deltas) {
    add_delta(delta, row, columns, out);
  }
}

std::size_t activation_bytes(ActivationForm form, std::size_t columns) {
  switch (form) {
    case ActivationForm::kF32: return columns * sizeof(float);
    case ActivationForm::kBF16: return (columns + 1) * 2;
    case ActivationForm::kInt8: return columns / 32 * sizeof(ActivationBlock);
    case ActivationForm::kInt8Token: return channel_token_bytes(columns);
  }
  QUIRE_CHECK(false, "activation form {}", static_cast<int>(form));
}

void CpuBuffer::Form::resize(int rows, std::size_t row_bytes) {
  QUIRE_CHECK(rows >= 0 && row_bytes > 0, "{} rows of {} bytes", rows, row_bytes);
  // Several rows must not fall into the same cache sets.
  stride = ((row_bytes + 63) / 64 | 1) * 64;
  const std::size_t bytes = stride * static_cast<std::size_t>(rows);
  if (data.count() < bytes) data = AlignedBuffer<std::byte>(bytes);
}

const CpuBuffer::Form& CpuBuffer::form(ActivationForm which) const {
  switch (which) {
    case ActivationForm::kF32:
      return f32;
    case ActivationForm::kBF16:
      return bf16;
    case ActivationForm::kInt8:
      return int8;
    case ActivationForm::kInt8Token:
      return int8_token;
  }
  QUIRE_CHECK(false, "activation form {}", static_cast<int>(which));
}

void CpuBuffer::grow(ActivationForm which) {
  if (form(which)) return;
  const auto count = static_cast<std::size_t>(columns);
  const std::size_t row_bytes = activation_bytes(which, count);
  switch (which) {
    case ActivationForm::kF32:
      f32.resize(rows_max, row_bytes);
      if (is_tight) f32.stride = row_bytes;
      return;
    case ActivationForm::kBF16: return bf16.resize(rows_max, row_bytes);
    case ActivationForm::kInt8: return int8.resize(rows_max, row_bytes);
    case ActivationForm::kInt8Token: return int8_token.resize(rows_max, row_bytes);
  }
}

void CpuBuffer::put(const KernelTable& kernels, int row, int begin, int count,
                         const float* values) {
  QUIRE_CHECK(row >= 0 && row < rows_max && begin >= 0 && begin + count <= columns,
              "columns {} + {} of row {} in a buffer of {} x {}", begin, count, row, rows_max,
              columns);
  if (f32) {
    auto* to = reinterpret_cast<float*>(f32.row(row)) + begin;
    if (to != values) std::memcpy(to, values, static_cast<std::size_t>(count) * sizeof(float));
  }
  narrow(kernels, row, begin, count, values);
}

void CpuBuffer::refresh(const KernelTable& kernels, int row) {
  narrow(kernels, row, 0, columns, floats(row));
}

void CpuBuffer::narrow(const KernelTable& kernels, int row, int begin, int count,
                       const float* values) {
  if (bf16) {
    kernels.narrow_bf16(values, count, reinterpret_cast<std::uint16_t*>(bf16.row(row)) + begin);
  }
  if (int8) {
    QUIRE_CHECK(begin % 32 == 0, "columns from {} on are no whole groups", begin);
    kernels.quantize_int8(values, count,
                          reinterpret_cast<ActivationBlock*>(int8.row(row)) + begin / 32);
  }
  if (int8_token) {
    QUIRE_CHECK(begin == 0 && count == columns, "columns {} + {} of a row of {}", begin, count,
                columns);
    auto* to = reinterpret_cast<ChannelToken*>(int8_token.row(row));
    kernels.quantize_token(values, count, 0, to);
  }
}

}  // namespace quire
