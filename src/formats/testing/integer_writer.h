// Rounds matrices to integers and writes them as HQQ, BitNet, EETQ and torchao do, from what is
// published about their layouts. As float_writer.h, which it continues: the tensors of a module and
// the values that they stand for, sharing nothing with the readers.
// Header only, test code only.
#pragma once

#include "formats/testing/float_writer.h"

namespace quire::testing {

inline float stored_as(const std::string& type, float value) {
  if (type == "F32") return value;
  return type == "F16" ? half_to_float(float_to_half(value)) : bf16_to_float(float_to_bf16(value));
}

// HQQ: groups along rows (axis 1) or across them (axis 0); zeros rounded, or as they fall.
struct HqqForm {
  int bits = 4;
  std::size_t group = 64;
  int axis = 1;
  bool has_whole_zeros = true;
  std::string type = "F16";
};

// Rows of a matrix of codes in equal parts, the first in the highest bits of a byte; of 3 bits ten
// parts in an int32.
inline TensorPart hqq_codes(const std::string& name, const std::vector<unsigned>& codes,
                            std::size_t down, std::size_t across, int bits) {
  const std::size_t parts = bits == 3 ? 10 : 8 / static_cast<std::size_t>(bits);
  const std::size_t packed = (down + parts - 1) / parts;
  std::vector<std::uint32_t> words(packed * across);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t part = i / across / packed;
    words[i / across % packed * across + i % across] |=
        codes[i] << (static_cast<std::size_t>(bits) * (parts - 1 - part));
  }
  if (bits == 3) return part_of(name, "I32", {packed, across}, words);
  return part_of(name, "U8", {packed, across},
                 std::vector<std::uint8_t>(words.begin(), words.end()));
}

inline WrittenMatrix write_hqq(const std::string& module, const FloatMatrix& matrix,
                               const HqqForm& form) {
  const std::size_t count = matrix.values.size(), groups = count / form.group;
  const std::size_t across = form.axis == 1 ? form.group : groups;
  const auto group_of = [&](std::size_t i) { return form.axis == 1 ? i / across : i % across; };
  std::vector<float> least(groups, 1e9f), largest(groups, -1e9f), scales, zeros;
  for (std::size_t i = 0; i < count; ++i) {
    least[group_of(i)] = std::min(least[group_of(i)], matrix.values[i]);
    largest[group_of(i)] = std::max(largest[group_of(i)], matrix.values[i]);
  }
  const auto most = static_cast<float>((1 << form.bits) - 1);
  for (std::size_t i = 0; i < groups; ++i) {
    scales.push_back(stored_as(form.type, std::max((largest[i] - least[i]) / most, 1e-5f)));
    const float zero = -least[i] / scales.back();
    zeros.push_back(stored_as(form.type, form.has_whole_zeros ? std::nearbyint(zero) : zero));
  }
  WrittenMatrix written;
  std::vector<unsigned> codes;
  for (std::size_t i = 0; i < count; ++i) {
    const float scale = scales[group_of(i)], zero = zeros[group_of(i)];
    const float code = std::clamp(std::nearbyint(matrix.values[i] / scale + zero), 0.0f, most);
    codes.push_back(static_cast<unsigned>(code));
    written.values.push_back((code - zero) * scale);
  }
  const std::vector<std::size_t> shape = form.axis == 1 ? std::vector<std::size_t>{groups, 1}
                                                        : std::vector<std::size_t>{1, groups};
  const auto number = [&](const char* name, int value) {
    return part_of(module + name, "I32", {}, std::vector<std::int32_t>{value});
  };
  const std::string packing = form.bits == 3 ? "3bit_32" : fmt::format("{}bit_u8", form.bits);
  written.parts = {
      hqq_codes(module + ".W_q", codes, count / across, across, form.bits),
      scales_part(module + ".scale", form.type, shape, scales),
      scales_part(module + ".zero", form.type, shape, zeros),
      part_of(module + ".shape", "I64", {2},
              std::vector<std::int64_t>{static_cast<std::int64_t>(matrix.rows),
                                        static_cast<std::int64_t>(matrix.columns)}),
      number(".nbits", form.bits),
      number(".group_size", static_cast<int>(form.group)),
      number(".axis", form.axis),
      {module + ".packing", "U8", {packing.size()}, packing},
      part_of(module + ".view_as_float", "U8", {}, std::vector<std::uint8_t>{0}),
      part_of(module + ".optimize", "U8", {}, std::vector<std::uint8_t>{1})};
  return written;
}

// BitNet: a quarter of the rows behind the other in the bits of a byte, from the lowest on.
inline WrittenMatrix write_bitnet(const std::string& module, const FloatMatrix& matrix,
                                  bool is_divided) {
  double sum = 0;
  for (const float value : matrix.values) sum += std::abs(value);
  const double mean = sum / static_cast<double>(matrix.values.size());
  const auto step = static_cast<float>(is_divided ? 1 / mean : mean);
  const float stored = stored_as("BF16", step), scale = is_divided ? 1 / stored : stored;
  const std::size_t packed = matrix.rows / 4;
  std::vector<std::uint8_t> bytes(packed * matrix.columns);
  WrittenMatrix written;
  for (std::size_t i = 0; i < matrix.values.size(); ++i) {
    const std::size_t row = i / matrix.columns;
    const float code = std::clamp(std::nearbyint(matrix.values[i] / scale), -1.0f, 1.0f);
    std::uint8_t& byte = bytes[row % packed * matrix.columns + i % matrix.columns];
    byte = static_cast<std::uint8_t>(byte | static_cast<int>(code + 1) << (2 * (row / packed)));
    written.values.push_back(code * scale);
  }
  written.parts = {part_of(module + ".weight", "U8", {packed, matrix.columns}, bytes),
                   scales_part(module + ".weight_scale", "BF16", {1}, {stored})};
  return written;
}

// EETQ as it is before its kernels rearrange it: [in, out].
inline WrittenMatrix write_eetq(const std::string& module, const FloatMatrix& matrix) {
  WrittenMatrix written;
  written.values.resize(matrix.values.size());
  std::vector<std::int8_t> codes(matrix.values.size());
  std::vector<float> scales;
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    const float largest = largest_of(matrix, row, 1, 0, matrix.columns);
    scales.push_back(stored_as("F16", std::max(largest, 1e-3f) / 127));
    for (std::size_t column = 0; column < matrix.columns; ++column) {
      const std::size_t i = row * matrix.columns + column;
      const float code =
          std::clamp(std::nearbyint(matrix.values[i] / scales.back()), -127.0f, 127.0f);
      codes[column * matrix.rows + row] = static_cast<std::int8_t>(code);
      written.values[i] = code * scales.back();
    }
  }
  written.parts = {part_of(module + ".weight", "I8", {matrix.columns, matrix.rows}, codes),
                   scales_part(module + ".weight_scales", "F16", {matrix.rows}, scales)};
  return written;
}

// torchao, int8: qdata and a scale for each group of a row.
inline WrittenMatrix write_torchao_int8(const std::string& module, const FloatMatrix& matrix,
                                        std::size_t group, bool is_old) {
  WrittenMatrix written;
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
  for (std::size_t i = 0; i < matrix.values.size(); ++i) {
    if (i % group == 0) {
      const float largest =
          largest_of(matrix, i / matrix.columns, 1, i % matrix.columns, group);
      scales.push_back(stored_as("BF16", std::max(largest, 1e-6f) / 127));
    }
    const float code =
        std::clamp(std::nearbyint(matrix.values[i] / scales.back()), -128.0f, 127.0f);
    codes.push_back(static_cast<std::int8_t>(code));
    written.values.push_back(code * scales.back());
  }
  const std::string prefix = module + (is_old ? ".weight:" : "._weight_");
  written.parts = {part_of(prefix + "qdata", "I8", {matrix.rows, matrix.columns}, codes),
                   scales_part(prefix + "scale", "BF16", {matrix.rows, matrix.columns / group},
                               scales)};
  return written;
}

// torchao, int4 in the plain layout: the first of two in the low nibble, signed; the middle of a
// group's range is its zero, a value.
inline WrittenMatrix write_torchao_int4(const std::string& module, const FloatMatrix& matrix,
                                        std::size_t group) {
  const std::size_t groups = matrix.columns / group;
  WrittenMatrix written;
  std::vector<std::int8_t> bytes(matrix.values.size() / 2);
  std::vector<float> scales(groups * matrix.rows), zeros(scales.size());
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t first = row * matrix.columns + g * group;
      const auto begin = matrix.values.begin() + static_cast<std::ptrdiff_t>(first);
      const auto [least, largest] =
          std::minmax_element(begin, begin + static_cast<std::ptrdiff_t>(group));
      const float scale = stored_as("BF16", std::max(*largest - *least, 1e-6f) / 15);
      const float zero = stored_as("BF16", *least + 8 * scale);
      scales[g * matrix.rows + row] = scale;
      zeros[g * matrix.rows + row] = zero;
      for (std::size_t i = first; i < first + group; ++i) {
        const float code = std::clamp(std::nearbyint((matrix.values[i] - zero) / scale), -8.0f,
                                      7.0f);
        const int nibble = (static_cast<int>(code) & 15) << (i % 2 * 4);
        bytes[i / 2] = static_cast<std::int8_t>(bytes[i / 2] | nibble);
        written.values.push_back(code * scale + zero);
      }
    }
  }
  written.parts = {
      part_of(module + "._weight_qdata", "I8", {matrix.rows, matrix.columns / 2}, bytes),
      scales_part(module + "._weight_scale", "BF16", {groups, matrix.rows}, scales),
      scales_part(module + "._weight_zero_point", "BF16", {groups, matrix.rows}, zeros)};
  return written;
}

}  // namespace quire::testing
