#include "formats/quant/grouped_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

#include "base/check.h"
#include "tensor/float_bits.h"
#include "tensor/quant_blocks.h"

namespace quire {
namespace {

constexpr std::size_t kRowsAtOnce = 64;  // whose words lie side by side in some layouts

// What the scales and zeros of a matrix allow.
struct Survey {
  bool has_half_scales = true;
  int zero_min = 1 << 16, zero_max = -(1 << 16);
};

Result<Survey> survey(const GroupedCodes& codes) {
  Survey found;
  for (std::size_t group = 0; group < codes.groups(); ++group) {
    for (std::size_t row = 0; row < codes.rows; ++row) {
      const float scale = codes.scale_at(row, group);
      if (!std::isfinite(scale)) {
        return error(StatusCode::kCorrupt,
                     "tensor '{}': the scale of row {} and group {} is {}, not a number",
                     codes.scales.name, row, group, scale);
      }
      found.has_half_scales &= half_to_float(float_to_half(scale)) == scale;
      const int zero = codes.zero_at(row, group);
      found.zero_min = std::min(found.zero_min, zero);
      found.zero_max = std::max(found.zero_max, zero);
    }
  }
  return found;
}

// The smallest tile that holds every code - zero; BF16 with the reason if there is none.
std::pair<DType, std::string> choose_tile(const GroupedCodes& codes, const Survey& found) {
  if (!codes.group_of.empty()) {
    return {DType::kBF16, "the columns of a group do not lie together (act-order)"};
  }
  if (!found.has_half_scales) return {DType::kBF16, "its scales are no float16 values"};
  if (codes.group % kBlock != 0) {
    return {DType::kBF16, fmt::format("groups of {} are not whole blocks of {}", codes.group,
                                      kBlock)};
  }
  const bool is_nibble = codes.codes.bits <= 4 && found.zero_min >= 0 && found.zero_max <= 255;
  const int least = -found.zero_max;
  const int most = (1 << codes.codes.bits) - 1 - found.zero_min;
  for (const auto& [dtype, half_range] :
       {std::pair(DType::kQ4_0, 8), std::pair(DType::kQ5_0, 16), std::pair(DType::kQ8_0, 128)}) {
    if (least >= -half_range && most < half_range) return {dtype, ""};
    if (dtype == DType::kQ4_0 && is_nibble) return {DType::kQ4_Z, ""};
  }
  return {DType::kBF16, fmt::format("codes from {} to {} fit no tile", least, most)};
}

// 32 columns of one row with their zero.
void write_with_zero(const GroupedCodes& codes, std::size_t row, std::size_t block,
                     std::size_t group, std::byte* out) {
  BlockQ4_Z to = {};
  to.d = float_to_half(codes.scale_at(row, group));
  to.zero = static_cast<std::uint8_t>(codes.zero_at(row, group));
  for (std::size_t i = 0; i < kBlock; ++i) {
    const std::size_t column = block * kBlock + i;
    const unsigned code = codes.is_along_columns ? codes.codes.at(column, row)
                                                 : codes.codes.at(row, column);
    to.qs[i % 16] = static_cast<std::uint8_t>(to.qs[i % 16] | (code & 15) << (i / 16 * 4));
  }
  std::memcpy(out, &to, sizeof to);
}

// code - zero of 32 columns of one row.
void read_block(const GroupedCodes& codes, std::size_t row, std::size_t block, int zero, int* out) {
  const std::size_t first = block * kBlock;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const std::size_t column = first + i;
    const unsigned code = codes.is_along_columns ? codes.codes.at(column, row)
                                                 : codes.codes.at(row, column);
    out[i] = static_cast<int>(code) - zero;
  }
}

// Masks keep a file that changes while it is read from harm.
void write_block(DType dtype, std::uint16_t scale, const int* values, std::byte* out) {
  if (dtype == DType::kQ8_0) {
    BlockQ8_0 block;
    block.d = scale;
    for (int i = 0; i < kBlock; ++i) block.qs[i] = static_cast<std::int8_t>(values[i]);
    std::memcpy(out, &block, sizeof(block));
    return;
  }
  const int offset = dtype == DType::kQ4_0 ? 8 : 16;
  std::uint8_t low[16];
  std::uint32_t high = 0;
  for (int i = 0; i < 16; ++i) {
    const int first = values[i] + offset, second = values[i + 16] + offset;
    low[i] = static_cast<std::uint8_t>((first & 15) | (second & 15) << 4);
    high |= static_cast<std::uint32_t>(first >> 4 & 1) << i;
    high |= static_cast<std::uint32_t>(second >> 4 & 1) << (i + 16);
  }
  if (dtype == DType::kQ4_0) {
    BlockQ4_0 block;
    block.d = scale;
    std::memcpy(block.qs, low, sizeof(low));
    std::memcpy(out, &block, sizeof(block));
    return;
  }
  BlockQ5_0 block;
  block.d = scale;
  std::memcpy(block.qh, &high, sizeof(high));
  std::memcpy(block.qs, low, sizeof(low));
  std::memcpy(out, &block, sizeof(block));
}

std::vector<std::byte> make_tiles(const GroupedCodes& codes, DType dtype) {
  const std::size_t row_size = row_bytes(dtype, codes.columns);
  const std::size_t block_size = dtype_info(dtype).block_bytes;
  std::vector<std::byte> bytes(codes.rows * row_size);
  int values[kBlock];
  for (std::size_t begin = 0; begin < codes.rows; begin += kRowsAtOnce) {
    const std::size_t end = std::min(codes.rows, begin + kRowsAtOnce);
    for (std::size_t block = 0; block < codes.columns / kBlock; ++block) {
      const std::size_t group = block * kBlock / codes.group;
      for (std::size_t row = begin; row < end; ++row) {
        std::byte* out = &bytes[row * row_size + block * block_size];
        if (dtype == DType::kQ4_Z) {
          write_with_zero(codes, row, block, group, out);
          continue;
        }
        read_block(codes, row, block, codes.zero_at(row, group), values);
        write_block(dtype, float_to_half(codes.scale_at(row, group)), values, out);
      }
    }
  }
  return bytes;
}

std::vector<std::byte> make_bf16(const GroupedCodes& codes) {
  std::vector<std::byte> bytes(codes.rows * codes.columns * sizeof(std::uint16_t));
  auto* out = reinterpret_cast<std::uint16_t*>(bytes.data());
  for (std::size_t row = 0; row < codes.rows; ++row) {
    for (std::size_t column = 0; column < codes.columns; ++column) {
      const std::size_t group =
          codes.group_of.empty() ? column / codes.group : codes.group_of[column];
      const unsigned code = codes.is_along_columns ? codes.codes.at(column, row)
                                                   : codes.codes.at(row, column);
      const auto distance = static_cast<float>(static_cast<int>(code) - codes.zero_at(row, group));
      *out++ = float_to_bf16(codes.scale_at(row, group) * distance);
    }
  }
  return bytes;
}

}  // namespace

int GroupedCodes::zero_at(std::size_t row, std::size_t in_group) const {
  if (small_zeros != nullptr) return zero + small_zeros[row * groups() + in_group];
  if (zeros.words == nullptr) return zero;
  const int stored = static_cast<int>(zeros.at(row, in_group));
  return (stored + zero_offset) & ((1 << zeros.bits) - 1);
}

float GroupedCodes::scale_at(std::size_t row, std::size_t in_group) const {
  const std::size_t at = row * scale_row + in_group * scale_group;
  if (scales.dtype == DType::kF32) return reinterpret_cast<const float*>(scales.data)[at];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(scales.data)[at];
  return scales.dtype == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

Result<Unpacked> unpack(GroupedCodes codes) {
  QUIRE_CHECK(codes.group > 0 && codes.columns % codes.group == 0, "'{}': groups of {}",
              codes.name, codes.group);
  QUIRE_ASSIGN_OR_RETURN(const Survey found, survey(codes));
  Unpacked unpacked;
  TensorView& view = unpacked.view;
  view.name = codes.name;
  view.shape = {codes.rows, codes.columns};
  std::tie(view.dtype, unpacked.reason) = choose_tile(codes, found);
  unpacked.late = std::make_shared<const LateTensor>(
      [kept = std::move(codes), dtype = view.dtype] {
        return dtype == DType::kBF16 ? make_bf16(kept) : make_tiles(kept, dtype);
      });
  return unpacked;
}

}  // namespace quire
