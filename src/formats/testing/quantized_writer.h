// Writes quantized matrices as the tools that own the layouts do, from what is published about
// them: a row of bits for each run of codes, cut into words. Readers are tested against it, so it
// shares nothing with them. The parts of a module come as a list, so that a test can spoil one.
// Header only, test code only.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "formats/testing/safetensors_writer.h"
#include "tensor/float_bits.h"

namespace quire::testing {

struct QuantizedMatrix {
  std::size_t rows = 0, columns = 0, group = 0;
  unsigned bits = 4;
  std::vector<unsigned> codes;          // [rows, columns]
  std::vector<unsigned> zeros;          // [rows, groups]
  std::vector<float> scales;            // [rows, groups]
  std::vector<std::size_t> group_of;    // [columns]

  std::size_t groups() const { return columns / group; }
  float value(std::size_t row, std::size_t column) const {
    const std::size_t at = row * groups() + group_of[column];
    const int distance = static_cast<int>(codes[row * columns + column]) -
                         static_cast<int>(zeros[at]);
    return scales[at] * static_cast<float>(distance);
  }
  std::vector<float> values() const {
    std::vector<float> all;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < columns; ++column) all.push_back(value(row, column));
    }
    return all;
  }
};

struct MatrixShape {
  std::size_t rows = 64, columns = 128, group = 32;
  unsigned bits = 4;
  bool is_symmetric = true;
  float scale = 0.02f;  // of one step, about
};

// Scales are float16 and bfloat16 values at once: 1 + k / 128 times a power of two.
inline QuantizedMatrix make_quantized(const MatrixShape& shape, std::uint32_t seed = 1) {
  QuantizedMatrix matrix;
  matrix.rows = shape.rows;
  matrix.columns = shape.columns;
  matrix.group = shape.group;
  matrix.bits = shape.bits;
  std::uint32_t state = seed * 2654435761u + 1;
  const auto draw = [&](std::uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
  };
  const unsigned count = 1u << shape.bits;
  for (std::size_t i = 0; i < shape.rows * shape.columns; ++i) matrix.codes.push_back(draw(count));
  for (std::size_t i = 0; i < shape.rows * matrix.groups(); ++i) {
    matrix.zeros.push_back(shape.is_symmetric ? count / 2 : draw(count));
    const auto scale_bits = std::bit_cast<std::uint32_t>(shape.scale);
    const float about = std::bit_cast<float>(scale_bits & 0x7F800000);
    matrix.scales.push_back(about * (1.0f + static_cast<float>(draw(128)) / 128));
  }
  for (std::size_t i = 0; i < shape.columns; ++i) matrix.group_of.push_back(i / shape.group);
  return matrix;
}

// One tensor of a file.
struct TensorPart {
  std::string name, dtype;
  std::vector<std::size_t> shape;
  std::string bytes;
};

template <typename Element>
TensorPart part_of(std::string name, std::string dtype, std::vector<std::size_t> shape,
                   const std::vector<Element>& values) {
  return {std::move(name), std::move(dtype), std::move(shape),
          std::string(reinterpret_cast<const char*>(values.data()),
                      values.size() * sizeof(Element))};
}

inline void add_parts(const std::vector<TensorPart>& parts, SafetensorsWriter& writer) {
  for (const TensorPart& part : parts) {
    writer.add(part.name, part.dtype.c_str(), part.shape,
               std::span<const char>(part.bytes.data(), part.bytes.size()));
  }
}

// The codes of a run, each from its lowest bit on, as words.
inline std::vector<std::uint32_t> words_of(const std::vector<unsigned>& run, unsigned bits) {
  std::vector<std::uint32_t> words((run.size() * bits + 31) / 32);
  std::size_t at = 0;
  for (const unsigned code : run) {
    for (unsigned bit = 0; bit < bits; ++bit, ++at) {
      if (code >> bit & 1) words[at / 32] |= 1u << (at % 32);
    }
  }
  return words;
}

inline TensorPart scales_part(const std::string& name, const std::string& dtype,
                              const std::vector<std::size_t>& shape,
                              const std::vector<float>& scales) {
  if (dtype == "F32") return part_of(name, dtype, shape, scales);
  std::vector<std::uint16_t> halves;
  for (const float scale : scales) {
    halves.push_back(dtype == "F16" ? float_to_half(scale) : float_to_bf16(scale));
  }
  return part_of(name, dtype, shape, halves);
}

// [rows, groups] turned into [groups, rows].
template <typename Element>
std::vector<Element> turned(const QuantizedMatrix& matrix, const std::vector<Element>& values) {
  std::vector<Element> out;
  for (std::size_t group = 0; group < matrix.groups(); ++group) {
    for (std::size_t row = 0; row < matrix.rows; ++row) {
      out.push_back(values[row * matrix.groups() + group]);
    }
  }
  return out;
}

// GPTQ: qweight, qzeros, scales, g_idx. Version 1 stores zeros less one.
inline std::vector<TensorPart> gptq_parts(const std::string& module, const QuantizedMatrix& matrix,
                                          int version = 1, const std::string& scale_type = "F16") {
  const std::size_t rows = matrix.rows, deep = matrix.columns * matrix.bits / 32;
  std::vector<std::uint32_t> qweight(deep * rows), qzeros;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto begin = matrix.codes.begin() + static_cast<std::ptrdiff_t>(row * matrix.columns);
    const auto words = words_of(
        {begin, begin + static_cast<std::ptrdiff_t>(matrix.columns)}, matrix.bits);
    for (std::size_t i = 0; i < deep; ++i) qweight[i * rows + row] = words[i];
  }
  const std::vector<unsigned> zeros = turned(matrix, matrix.zeros);
  for (std::size_t group = 0; group < matrix.groups(); ++group) {
    std::vector<unsigned> run;
    for (std::size_t row = 0; row < rows; ++row) {
      const unsigned zero = zeros[group * rows + row];
      run.push_back((version == 1 ? zero - 1 : zero) & ((1u << matrix.bits) - 1));
    }
    for (const std::uint32_t word : words_of(run, matrix.bits)) qzeros.push_back(word);
  }
  const std::vector<std::int32_t> g_idx(matrix.group_of.begin(), matrix.group_of.end());
  return {part_of(module + ".qweight", "I32", {deep, rows}, qweight),
          part_of(module + ".qzeros", "I32", {matrix.groups(), qzeros.size() / matrix.groups()},
                  qzeros),
          scales_part(module + ".scales", scale_type, {matrix.groups(), rows},
                      turned(matrix, matrix.scales)),
          part_of(module + ".g_idx", "I32", {matrix.columns}, g_idx)};
}

// AWQ, version gemm: eight outputs in a word, those of even places first; qweight, qzeros, scales.
inline std::vector<TensorPart> awq_parts(const std::string& module, const QuantizedMatrix& matrix,
                                         const std::string& scale_type = "F16") {
  constexpr std::size_t kOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};
  const std::size_t rows = matrix.rows;
  const auto pack = [&](const std::vector<unsigned>& values, std::size_t runs) {
    std::vector<std::uint32_t> words;  // of values [runs, rows]
    for (std::size_t at = 0; at < runs * rows; at += 8) {
      std::uint32_t word = 0;
      for (unsigned i = 0; i < 8; ++i) word |= values[at + kOrder[i]] << (4 * i);
      words.push_back(word);
    }
    return words;
  };
  std::vector<unsigned> codes;
  for (std::size_t column = 0; column < matrix.columns; ++column) {
    for (std::size_t row = 0; row < rows; ++row) {
      codes.push_back(matrix.codes[row * matrix.columns + column]);
    }
  }
  return {part_of(module + ".qweight", "I32", {matrix.columns, rows / 8},
                  pack(codes, matrix.columns)),
          part_of(module + ".qzeros", "I32", {matrix.groups(), rows / 8},
                  pack(turned(matrix, matrix.zeros), matrix.groups())),
          scales_part(module + ".scales", scale_type, {matrix.groups(), rows},
                      turned(matrix, matrix.scales))};
}

// compressed-tensors, pack-quantized: weight_packed, weight_scale, weight_shape and, where codes
// are not symmetric, weight_zero_point.
inline std::vector<TensorPart> packed_parts(const std::string& module,
                                            const QuantizedMatrix& matrix, bool is_symmetric,
                                            const std::string& scale_type = "BF16") {
  const std::size_t rows = matrix.rows, groups = matrix.groups();
  std::vector<std::uint32_t> packed;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto begin = matrix.codes.begin() + static_cast<std::ptrdiff_t>(row * matrix.columns);
    for (const std::uint32_t word : words_of(
             {begin, begin + static_cast<std::ptrdiff_t>(matrix.columns)}, matrix.bits)) {
      packed.push_back(word);
    }
  }
  std::vector<TensorPart> parts = {
      part_of(module + ".weight_packed", "I32", {rows, packed.size() / rows}, packed),
      scales_part(module + ".weight_scale", scale_type, {rows, groups}, matrix.scales),
      part_of(module + ".weight_shape", "I64", {2},
              std::vector<std::int64_t>{static_cast<std::int64_t>(rows),
                                        static_cast<std::int64_t>(matrix.columns)})};
  if (is_symmetric) return parts;
  std::vector<std::uint32_t> zeros(rows * matrix.bits / 32 * groups);
  for (std::size_t group = 0; group < groups; ++group) {
    std::vector<unsigned> run;
    for (std::size_t row = 0; row < rows; ++row) run.push_back(matrix.zeros[row * groups + group]);
    const auto words = words_of(run, matrix.bits);
    for (std::size_t i = 0; i < words.size(); ++i) zeros[i * groups + group] = words[i];
  }
  parts.push_back(part_of(module + ".weight_zero_point", "I32",
                          {rows * matrix.bits / 32, groups}, zeros));
  return parts;
}

}  // namespace quire::testing
