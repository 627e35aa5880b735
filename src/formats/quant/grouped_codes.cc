#include "formats/quant/grouped_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <span>
#include <thread>
#include <tuple>

#include "base/check.h"
#include "base/cpu/cpu_info.h"
#include "tensor/float_bits.h"
#include "tensor/quant_blocks.h"

namespace quire {
namespace {

constexpr std::size_t kRowsAtOnce = 64;  // whose words lie side by side in some layouts
constexpr std::size_t kAloneValues = std::size_t{1} << 18;  // made by one thread

float value_at(const TensorView& floats, std::size_t at) {
  if (floats.dtype == DType::kF32) return reinterpret_cast<const float*>(floats.data)[at];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(floats.data)[at];
  return floats.dtype == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

constexpr float kZeroMax = 65536;  // of float zeros

// What the scales and zeros of a matrix allow.
struct Survey {
  bool has_half_scales = true, has_whole_zeros = true;
  int zero_min = 1 << 16, zero_max = -(1 << 16);
};

Result<Survey> survey(const GroupedCodes& codes) {
  Survey found;
  for (std::size_t group = 0; group < codes.groups(); ++group) {
    for (std::size_t row = 0; row < codes.rows; ++row) {
      const float scale = codes.scale_at(row, group);
      if (!std::isfinite(scale) || scale == 0) {
        return error(StatusCode::kCorrupt,
                     "tensor '{}': the scale of row {} and group {} is {}, which is no scale",
                     codes.scales.name, row, group, scale);
      }
      found.has_half_scales &= half_to_float(float_to_half(scale)) == scale;
      const float as_float =
          codes.float_zeros.data == nullptr ? 0 : codes.float_zero_at(row, group);
      if (!(std::abs(as_float) <= kZeroMax)) {
        return error(StatusCode::kCorrupt,
                     "tensor '{}': the zero of row {} and group {} is {}, not a number up to {}",
                     codes.float_zeros.name, row, group, as_float, kZeroMax);
      }
      found.has_whole_zeros &= as_float == std::nearbyint(as_float);
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
    return {DType::kBF16, "its groups are not of one size (g_idx)"};
  }
  if (codes.group % kBlock != 0) {
    return {DType::kBF16, fmt::format("groups of {} are not whole blocks of {}", codes.group,
                                      kBlock)};
  }
  if (!found.has_half_scales || !found.has_whole_zeros) {
    if (codes.codes.bits <= 4 && codes.group % 64 == 0) return {DType::kQ4_F, ""};
    return {DType::kBF16, found.has_half_scales ? "its zeros are no whole numbers"
                                                : "its scales are no float16 values"};
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
    const unsigned code = codes.code_at(row, column);
    to.qs[i % 16] = static_cast<std::uint8_t>(to.qs[i % 16] | (code & 15) << (i / 16 * 4));
  }
  std::memcpy(out, &to, sizeof to);
}

// 64 columns of one row with their scale and zero as floats.
void write_with_floats(const GroupedCodes& codes, std::size_t row, std::size_t block,
                       std::size_t group, std::byte* out) {
  BlockQ4_F to = {};
  to.d = codes.scale_at(row, group);
  to.m = -(to.d * codes.float_zero_at(row, group));
  for (std::size_t i = 0; i < 64; ++i) {
    const unsigned code = codes.code_at(row, block * 64 + i);
    std::uint8_t& byte = to.qs[i / 32 * 16 + i % 16];
    byte = static_cast<std::uint8_t>(byte | (code & 15) << (i % 32 / 16 * 4));
  }
  std::memcpy(out, &to, sizeof to);
}

// code - zero of 32 columns of one row.
void read_block(const GroupedCodes& codes, std::size_t row, std::size_t block, int zero, int* out) {
  const std::size_t first = block * kBlock;
  for (std::size_t i = 0; i < kBlock; ++i) {
    out[i] = static_cast<int>(codes.code_at(row, first + i)) - zero;
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

// body(first, last) for all rows, on every core where they are many. Rows are made each by itself.
template <typename Body>
void for_rows(const GroupedCodes& codes, const Body& body) {
  const std::size_t chunks = (codes.rows + kRowsAtOnce - 1) / kRowsAtOnce;
  const auto cores = static_cast<std::size_t>(std::max(cpu_info().cores, 1));
  const std::size_t workers =
      codes.rows * codes.columns <= kAloneValues ? 1 : std::min(cores, chunks);
  const auto part = [&](std::size_t worker) {
    const std::size_t first = worker * chunks / workers * kRowsAtOnce;
    const std::size_t last = (worker + 1) * chunks / workers * kRowsAtOnce;
    body(first, std::min(last, codes.rows));
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < workers; ++i) others.emplace_back(part, i);
  part(0);
}

// Rows [first, last) of the tiles.
void make_tile_rows(const GroupedCodes& codes, DType dtype, std::size_t first, std::size_t last,
                    std::span<std::byte> bytes) {
  const std::size_t row_size = row_bytes(dtype, codes.columns);
  const std::size_t block_size = dtype_info(dtype).block_bytes;
  const std::size_t width = dtype_info(dtype).block_elements;
  int values[kBlock];
  for (std::size_t begin = first; begin < last; begin += kRowsAtOnce) {
    const std::size_t end = std::min(last, begin + kRowsAtOnce);
    for (std::size_t block = 0; block < codes.columns / width; ++block) {
      const std::size_t group = block * width / codes.group;
      for (std::size_t row = begin; row < end; ++row) {
        std::byte* out = &bytes[row * row_size + block * block_size];
        if (dtype == DType::kQ4_F) {
          write_with_floats(codes, row, block, group, out);
          continue;
        }
        if (dtype == DType::kQ4_Z) {
          write_with_zero(codes, row, block, group, out);
          continue;
        }
        read_block(codes, row, block, codes.zero_at(row, group), values);
        write_block(dtype, float_to_half(codes.scale_at(row, group)), values, out);
      }
    }
  }
}

// Values in the places that the file has them in, whatever the order of the tiles.
void make_bf16_rows(const GroupedCodes& codes, std::size_t first, std::size_t last,
                    std::span<std::byte> bytes) {
  auto* out = reinterpret_cast<std::uint16_t*>(bytes.data());
  for (std::size_t row = first; row < last; ++row) {
    for (std::size_t i = 0; i < codes.columns; ++i) {
      const std::size_t column = codes.order.empty() ? i : codes.order[i];
      const std::size_t group = codes.group_of.empty() ? i / codes.group : codes.group_of[i];
      const float distance = static_cast<float>(codes.code_at(row, i)) -
                             codes.float_zero_at(row, group);
      out[row * codes.columns + column] = float_to_bf16(codes.scale_at(row, group) * distance);
    }
  }
}

std::vector<std::byte> make(const GroupedCodes& codes, DType dtype) {
  std::vector<std::byte> bytes(codes.rows * row_bytes(dtype, codes.columns));
  for_rows(codes, [&](std::size_t first, std::size_t last) {
    if (dtype == DType::kBF16) return make_bf16_rows(codes, first, last, bytes);
    make_tile_rows(codes, dtype, first, last, bytes);
  });
  return bytes;
}

std::shared_ptr<const LateTensor> made_late(std::shared_ptr<const GroupedCodes> codes, DType dtype,
                                            std::shared_ptr<const LateTensor> in_bf16) {
  return std::make_shared<const LateTensor>(
      [kept = std::move(codes), dtype] {
        if (!kept->lay_out) return make(*kept, dtype);
        GroupedCodes laid = *kept;
        laid.laid_out = kept->lay_out();
        return make(laid, dtype);
      },
      std::move(in_bf16));
}

// The order in which the columns of each group lie together, those of one group as they came; empty
// where groups are not of one size.
std::vector<std::uint32_t> order_of(const GroupedCodes& codes) {
  std::vector<std::size_t> counts(codes.groups());
  for (const std::uint32_t group : codes.group_of) ++counts[group];
  const bool is_even = std::all_of(counts.begin(), counts.end(),
                                   [&](std::size_t count) { return count == codes.group; });
  if (!is_even) return {};
  std::vector<std::uint32_t> order(codes.columns);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return codes.group_of[a] < codes.group_of[b];
  });
  return order;
}

}  // namespace

int GroupedCodes::zero_at(std::size_t row, std::size_t in_group) const {
  if (float_zeros.data != nullptr) {
    return static_cast<int>(std::nearbyint(float_zero_at(row, in_group)));
  }
  if (small_zeros != nullptr) return zero + small_zeros[row * groups() + in_group];
  if (zeros.words == nullptr) return zero;
  const int stored = static_cast<int>(zeros.at(row, in_group));
  return (stored + zero_offset) & ((1 << zeros.bits) - 1);
}

float GroupedCodes::float_zero_at(std::size_t row, std::size_t in_group) const {
  if (float_zeros.data == nullptr) return static_cast<float>(zero_at(row, in_group));
  return value_at(float_zeros, row * scale_row + in_group * scale_group);
}

float GroupedCodes::scale_at(std::size_t row, std::size_t in_group) const {
  return value_at(scales, row * scale_row + in_group * scale_group);
}

Result<Unpacked> unpack(GroupedCodes codes) {
  QUIRE_CHECK(codes.group > 0 && codes.columns % codes.group == 0, "'{}': groups of {}",
              codes.name, codes.group);
  QUIRE_ASSIGN_OR_RETURN(const Survey found, survey(codes));
  Unpacked unpacked;
  TensorView& view = unpacked.view;
  view.name = codes.name;
  view.shape = {codes.rows, codes.columns};
  view.input = codes.input;
  if (!codes.group_of.empty()) codes.order = order_of(codes);
  if (!codes.order.empty()) codes.group_of.clear();
  std::tie(view.dtype, unpacked.reason) = choose_tile(codes, found);
  const auto kept = std::make_shared<const GroupedCodes>(std::move(codes));
  const bool is_bf16 = view.dtype == DType::kBF16;
  if (!is_bf16) unpacked.order = kept->order;
  unpacked.late = made_late(kept, view.dtype,
                            is_bf16 ? nullptr : made_late(kept, DType::kBF16, nullptr));
  return unpacked;
}

}  // namespace quire
