// Rounds matrices to formats of small floats and writes them as the tools that own the layouts do,
// from what is published about them. Each function gives the tensors of a module and the values
// that they stand for, worked out here once more. Readers are tested against it, so it shares
// nothing with them but the type of a part.
// Header only, test code only.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "formats/testing/quantized_writer.h"

namespace quire::testing {

struct FloatMatrix {
  std::size_t rows = 0, columns = 0;
  std::vector<float> values;
};

struct WrittenMatrix {
  std::vector<TensorPart> parts;
  std::vector<float> values;  // what they stand for
};

// What a code of E4M3 below 127 stands for.
inline float e4m3_value(int code) {
  const int exponent = code / 8, rest = code % 8;
  return static_cast<float>(exponent == 0 ? std::ldexp(rest, -9)
                                          : std::ldexp(8 + rest, exponent - 10));
}
// The nearest code of a number from -448 to 448.
inline std::uint8_t e4m3_nearest(float value) {
  const float size = std::abs(value);
  int low = 0, high = 126;
  while (low < high) {  // the largest that is not above
    const int middle = (low + high + 1) / 2;
    if (e4m3_value(middle) <= size) low = middle; else high = middle - 1;
  }
  if (low < 126 && e4m3_value(low + 1) - size < size - e4m3_value(low)) ++low;
  return static_cast<std::uint8_t>(low | (std::signbit(value) ? 128 : 0));
}
inline float e4m3_signed(std::uint8_t code) {
  return code < 128 ? e4m3_value(code) : -e4m3_value(code - 128);
}

inline float largest_of(const FloatMatrix& matrix, std::size_t row, std::size_t rows,
                        std::size_t column, std::size_t columns) {
  float largest = 0;
  for (std::size_t r = row; r < std::min(row + rows, matrix.rows); ++r) {
    for (std::size_t c = column; c < std::min(column + columns, matrix.columns); ++c) {
      largest = std::max(largest, std::abs(matrix.values[r * matrix.columns + c]));
    }
  }
  return largest;
}

// FP8 with a scale for each block; `shape` of the scales, `type` F32 or BF16.
struct Fp8Form {
  std::size_t block_rows = 1, block_columns = 1;
  std::string ending = "_scale";
  std::string type = "F32";
  std::vector<std::size_t> scale_shape;  // empty: [blocks down, blocks across]
};
inline WrittenMatrix write_fp8(const std::string& module, const FloatMatrix& matrix,
                               const Fp8Form& form) {
  const std::size_t down = (matrix.rows + form.block_rows - 1) / form.block_rows;
  const std::size_t across = (matrix.columns + form.block_columns - 1) / form.block_columns;
  std::vector<float> scales;
  for (std::size_t i = 0; i < down * across; ++i) {
    const float largest = largest_of(matrix, i / across * form.block_rows, form.block_rows,
                                     i % across * form.block_columns, form.block_columns);
    const float scale = std::max(largest, 1e-6f) / 448;
    scales.push_back(form.type == "F32" ? scale
                                        : bf16_to_float(float_to_bf16(scale * 1.01f)));
  }
  WrittenMatrix written;
  std::vector<std::uint8_t> codes;
  for (std::size_t i = 0; i < matrix.values.size(); ++i) {
    const std::size_t row = i / matrix.columns, column = i % matrix.columns;
    const float scale = scales[row / form.block_rows * across + column / form.block_columns];
    codes.push_back(e4m3_nearest(std::clamp(matrix.values[i] / scale, -448.0f, 448.0f)));
    written.values.push_back(e4m3_signed(codes.back()) * scale);
  }
  const std::vector<std::size_t> shape =
      form.scale_shape.empty() ? std::vector<std::size_t>{down, across} : form.scale_shape;
  written.parts = {
      part_of(module + ".weight", "F8_E4M3", {matrix.rows, matrix.columns}, codes),
      scales_part(module + ".weight" + form.ending, form.type, shape, scales)};
  return written;
}

// int8, a scale for each row; LLM.int8 keeps the largest value instead.
inline WrittenMatrix write_int8_rows(const std::string& module, const FloatMatrix& matrix,
                                     bool is_llm_int8) {
  WrittenMatrix written;
  std::vector<std::int8_t> codes;
  std::vector<float> largest, scales;
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    largest.push_back(largest_of(matrix, row, 1, 0, matrix.columns));
    scales.push_back(std::max(largest.back(), 1e-6f) / 127);
    for (std::size_t column = 0; column < matrix.columns; ++column) {
      const float value = matrix.values[row * matrix.columns + column] / scales.back();
      codes.push_back(static_cast<std::int8_t>(std::nearbyint(value)));
      written.values.push_back(static_cast<float>(codes.back()) * scales.back());
    }
  }
  written.parts = {part_of(module + ".weight", "I8", {matrix.rows, matrix.columns}, codes)};
  if (is_llm_int8) {
    written.parts.push_back(part_of(module + ".SCB", "F32", {matrix.rows}, largest));
    written.parts.push_back(part_of(module + ".weight_format", "U8", {},
                                    std::vector<std::uint8_t>{0}));
  } else {
    written.parts.push_back(part_of(module + ".weight_scale", "F32", {matrix.rows, 1}, scales));
  }
  return written;
}

inline unsigned nearest_of(const float (&values)[16], float wanted) {
  unsigned best = 0;
  for (unsigned i = 1; i < 16; ++i) {
    if (std::abs(values[i] - wanted) < std::abs(values[best] - wanted)) best = i;
  }
  return best;
}

// bitsandbytes in 4 bits.
struct BitsAndBytesForm {
  bool is_nf4 = true, is_double = false;
  std::size_t block = 64;
};
inline WrittenMatrix write_bitsandbytes(const std::string& module, const FloatMatrix& matrix,
                                        const BitsAndBytesForm& form) {
  constexpr float kNf4[16] = {
      -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
      -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
      0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
      0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};
  float table[16];
  for (int i = 0; i < 16; ++i) {
    constexpr float kFp4[8] = {0, 0.0625f, 8, 12, 4, 6, 2, 3};  // twelfths
    const float size = kFp4[i % 8] / 12;
    table[i] = form.is_nf4 ? kNf4[i] : i <= 8 ? (i == 8 ? 0 : size) : -size;
  }
  const std::size_t count = matrix.values.size(), blocks = (count + form.block - 1) / form.block;
  std::vector<float> scales;
  for (std::size_t i = 0; i < blocks; ++i) {
    float largest = 0;
    for (std::size_t k = i * form.block; k < std::min(count, (i + 1) * form.block); ++k) {
      largest = std::max(largest, std::abs(matrix.values[k]));
    }
    scales.push_back(largest);
  }
  const std::string name = module + ".weight";
  WrittenMatrix written;
  std::string state = fmt::format(
      R"({{"quant_type":"{}","blocksize":{},"dtype":"bfloat16","shape":[{},{}])",
      form.is_nf4 ? "nf4" : "fp4", form.block, matrix.rows, matrix.columns);
  if (form.is_double) {  // 8 bits around the mean, in outer blocks of 256
    float mean = 0;
    for (const float scale : scales) mean += scale / static_cast<float>(blocks);
    std::vector<float> map(256), outer;
    for (std::size_t i = 0; i < 256; ++i) map[i] = static_cast<float>(i) / 127.5f - 1;
    std::vector<std::uint8_t> codes;
    for (std::size_t i = 0; i < blocks; ++i) {
      if (i % 256 == 0) {
        float largest = 1e-9f;
        for (std::size_t k = i; k < std::min(blocks, i + 256); ++k) {
          largest = std::max(largest, std::abs(scales[k] - mean));
        }
        outer.push_back(largest);
      }
      const float place = ((scales[i] - mean) / outer.back() + 1) * 127.5f;
      codes.push_back(static_cast<std::uint8_t>(std::clamp(std::nearbyint(place), 0.0f, 255.0f)));
      scales[i] = map[codes.back()] * outer.back() + mean;
    }
    written.parts.push_back(part_of(name + ".absmax", "U8", {blocks}, codes));
    written.parts.push_back(part_of(name + ".nested_absmax", "F32", {outer.size()}, outer));
    written.parts.push_back(part_of(name + ".nested_quant_map", "F32", {256}, map));
    state += fmt::format(R"(,"nested_blocksize":256,"nested_dtype":"float32","nested_offset":{})",
                         mean);
  } else {
    written.parts.push_back(part_of(name + ".absmax", "F32", {blocks}, scales));
  }
  state += "}";
  std::vector<std::uint8_t> bytes((count + 1) / 2);
  for (std::size_t i = 0; i < count; ++i) {
    const float scale = scales[i / form.block];
    const unsigned code = nearest_of(table, scale == 0 ? 0 : matrix.values[i] / scale);
    bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] | code << (i % 2 == 0 ? 4 : 0));
    written.values.push_back(table[code] * scale);
  }
  written.parts.push_back(part_of(name, "U8", {bytes.size(), 1}, bytes));
  written.parts.push_back(
      part_of(name + ".quant_map", "F32", {16}, std::vector<float>(table, table + 16)));
  written.parts.push_back({name + ".quant_state.bitsandbytes__" + (form.is_nf4 ? "nf4" : "fp4"),
                           "U8", {state.size()}, state});
  return written;
}

// E2M1 in groups: MXFP4 with powers of two, NVFP4 with E4M3 and a scale of the matrix.
struct SmallFloatForm {
  bool is_nvfp4 = true;
  bool is_modelopt = false;  // else compressed-tensors
};
inline WrittenMatrix write_small_floats(const std::string& module, const FloatMatrix& matrix,
                                        const SmallFloatForm& form) {
  constexpr float kSizes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  float table[16];
  for (int i = 0; i < 16; ++i) table[i] = i < 8 ? kSizes[i] : -kSizes[i - 8];
  const std::size_t group = form.is_nvfp4 ? 16 : 32, count = matrix.values.size();
  const float whole =
      std::max(largest_of(matrix, 0, matrix.rows, 0, matrix.columns), 1e-6f) / (6 * 448);
  const float stored = form.is_modelopt ? whole : 1 / whole;
  const float of_matrix = form.is_modelopt ? stored : 1 / stored;
  WrittenMatrix written;
  std::vector<std::uint8_t> scale_codes, bytes(count / 2);
  for (std::size_t first = 0; first < count; first += group) {
    float largest = 0;
    for (std::size_t i = first; i < first + group; ++i) {
      largest = std::max(largest, std::abs(matrix.values[i]));
    }
    float scale;
    if (form.is_nvfp4) {
      scale_codes.push_back(e4m3_nearest(largest / 6 / of_matrix));
      scale = e4m3_value(scale_codes.back()) * of_matrix;
    } else {
      const int exponent = largest == 0 ? -127 : std::ilogb(largest) - 2;
      scale_codes.push_back(static_cast<std::uint8_t>(std::max(exponent, -127) + 127));
      scale = std::ldexp(1.0f, exponent);
    }
    for (std::size_t i = first; i < first + group; ++i) {
      const unsigned code = nearest_of(table, scale == 0 ? 0 : matrix.values[i] / scale);
      bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] | code << (i % 2 * 4));
      written.values.push_back(table[code] * scale);
    }
  }
  const std::string name = module + (form.is_modelopt ? ".weight" : ".weight_packed");
  written.parts = {part_of(name, "U8", {matrix.rows, matrix.columns / 2}, bytes),
                   part_of(module + ".weight_scale", form.is_nvfp4 ? "F8_E4M3" : "U8",
                           {matrix.rows, matrix.columns / group}, scale_codes)};
  if (form.is_nvfp4) {
    const std::string ending = form.is_modelopt ? ".weight_scale_2" : ".weight_global_scale";
    const std::vector<std::size_t> shape(form.is_modelopt ? 0 : 1, 1);
    written.parts.push_back(part_of(module + ending, "F32", shape, std::vector<float>{stored}));
  }
  return written;
}

}  // namespace quire::testing
