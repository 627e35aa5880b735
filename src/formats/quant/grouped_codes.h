// GroupedCodes: a matrix as the methods with packed integers store it, in whichever layout:
// value = scale * (code - zero), scale and zero shared by a group of columns of a row. It becomes
// tiles that keep the codes: Q4_0 where every code - zero is in -8..7, Q4_Z for other codes of four
// bits or less, Q5_0 in -16..15, Q8_0 in -128..127, with the scale repeated for every 32 columns.
// Four bits or less whose scales are no float16 values, or whose zeros are no whole numbers, become
// Q4_F in groups of 64 columns or of more of them. Columns of a group that lie scattered, in
// act-order, are brought together, and the weight says in which order it wants its input. What is
// left is rounded once, to BF16, and `reason` says why. Tiles are made on all cores.
// Pure functions; any thread. Made by one file for each method, behind quant_methods.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/quant/late_tensor.h"
#include "tensor/tensor.h"

namespace quire {

// Unsigned integers of a few bits in words, one behind the other from the lowest bit on; at 3 bits
// they straddle words.
struct PackedInts {
  const std::uint32_t* words = nullptr;
  int bits = 4;
  std::size_t along = 1, across = 1;  // words from one to the next in each direction
  bool is_woven = false;              // AWQ: of eight, first those with even places, then the odd

  // Number `i` of row `j` of words.
  unsigned at(std::size_t i, std::size_t j) const {
    const std::size_t place = is_woven ? i / 8 * 8 + i % 8 / 2 + i % 2 * 4 : i;
    const std::size_t bit = place * static_cast<std::size_t>(bits);
    const std::uint32_t* word = words + bit / 32 * along + j * across;
    const auto shift = static_cast<unsigned>(bit % 32);
    std::uint32_t value = *word >> shift;
    if (shift + static_cast<unsigned>(bits) > 32) value |= word[along] << (32 - shift);
    return value & ((1u << bits) - 1);
  }
};

struct GroupedCodes {
  std::string name;  // of the weight that it stands for
  std::size_t rows = 0, columns = 0;
  std::size_t group = 0;  // columns of a scale

  PackedInts codes;
  bool is_along_columns = true;  // codes.at(column, row); else codes.at(row, column)
  // Of layouts that PackedInts cannot say: makes the codes, a byte each, [rows, columns], when the
  // weight is made. Of `codes` only the bits count.
  std::function<std::vector<std::uint8_t>()> lay_out;
  std::vector<std::uint8_t> laid_out;

  PackedInts zeros;              // at(row, group); without words all are `zero`
  const std::int8_t* small_zeros = nullptr;  // [rows, groups], and `zero` is added
  int zero = 0;
  int zero_offset = 0;  // added to what is packed, which wraps around

  TensorView scales;       // F32, F16 or BF16
  TensorView float_zeros;  // the same, where zeros are floats; else without data
  std::size_t scale_row = 1, scale_group = 1;  // elements from one to the next

  std::vector<std::uint32_t> group_of;  // of each column; empty: column / group
  std::vector<std::uint32_t> order;     // which column is where they are counted; empty: itself
  InputRule input;                      // what else the codes suppose of their input

  std::size_t groups() const { return columns / group; }
  unsigned code_at(std::size_t row, std::size_t column) const {
    if (!order.empty()) column = order[column];
    if (!laid_out.empty()) return laid_out[row * columns + column];
    return is_along_columns ? codes.at(column, row) : codes.at(row, column);
  }
  int zero_at(std::size_t row, std::size_t in_group) const;  // of float zeros the nearest
  float float_zero_at(std::size_t row, std::size_t in_group) const;
  float scale_at(std::size_t row, std::size_t in_group) const;
};

struct Unpacked {
  TensorView view;                     // without data
  std::shared_ptr<const LateTensor> late;
  std::vector<std::uint32_t> order;    // for the view's rule: whose numbers it is kept by others
  std::string reason;                  // why it is held in BF16; empty: its codes are kept
};

// Checks every scale and float zero: an error names the tensor and the first that is NaN or
// infinite, or a scale of 0. What the views
// point at must outlive the late tensor. REQUIRES: pointers, shapes and groups fit.
Result<Unpacked> unpack(GroupedCodes codes);

}  // namespace quire
