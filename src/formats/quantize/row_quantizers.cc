#include "formats/quantize/row_quantizers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>

#include "base/check.h"
#include "formats/quantize/scale_search.h"
#include "formats/quantize/super_blocks.h"
#include "tensor/float_bits.h"
#include "tensor/quant_blocks.h"

namespace quire {
namespace {

// The first value of the largest magnitude, with its sign.
float extreme_of(const float* x) {
  float extreme = 0;
  for (int i = 0; i < kBlock; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  return extreme;
}

// 0 where a scale is so small that it is none.
float inverse_of(float scale) {
  const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

void put_nibbles(const std::uint8_t (&codes)[kBlock], std::uint8_t* qs) {
  for (int i = 0; i < 16; ++i) {
    qs[i] = static_cast<std::uint8_t>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
  }
}

void put_fifth_bits(const std::uint8_t (&codes)[kBlock], std::uint8_t* qh) {
  std::memset(qh, 0, 4);
  for (int i = 0; i < kBlock; ++i) {
    qh[i / 8] = static_cast<std::uint8_t>(qh[i / 8] | (codes[i] >> 4 & 1) << (i % 8));
  }
}

// Codes 0 to 2 * middle - 1, the extreme being 0: whole steps from the middle, where the product
// and the half are one rounding.
float round_about(const float* x, int middle, std::uint8_t (&codes)[kBlock]) {
  const float scale = extreme_of(x) / static_cast<float>(-middle);
  const double inverse = inverse_of(scale);
  for (int i = 0; i < kBlock; ++i) {
    const auto shifted = static_cast<float>(double{x[i]} * inverse + (middle + 0.5));
    codes[i] = static_cast<std::uint8_t>(std::clamp(static_cast<int>(shifted), 0, 2 * middle - 1));
  }
  return scale;
}

// Codes 0 to code_max from the least to the most.
ScaleAndMinimum round_between(const float* x, int code_max, std::uint8_t (&codes)[kBlock]) {
  const auto [least, most] = std::minmax_element(x, x + kBlock);
  const float low = *least, scale = (*most - low) / static_cast<float>(code_max);
  const float inverse = inverse_of(scale);
  for (int i = 0; i < kBlock; ++i) {
    const float shifted = (x[i] - low) * inverse + 0.5f;
    codes[i] = static_cast<std::uint8_t>(std::clamp(static_cast<int>(shifted), 0, code_max));
  }
  return {scale, low};
}

void quantize(const float* x, BlockQ8_0& block) {
  const float scale = std::fabs(extreme_of(x)) / 127.0f, inverse = inverse_of(scale);
  block.d = float_to_half(scale);
  for (int i = 0; i < kBlock; ++i) {
    block.qs[i] = static_cast<std::int8_t>(std::clamp(std::roundf(x[i] * inverse), -127.f, 127.f));
  }
}

void quantize(const float* x, BlockQ4_0& block) {
  std::uint8_t codes[kBlock];
  block.d = float_to_half(round_about(x, 8, codes));
  put_nibbles(codes, block.qs);
}

void quantize(const float* x, BlockQ5_0& block) {
  std::uint8_t codes[kBlock];
  block.d = float_to_half(round_about(x, 16, codes));
  put_nibbles(codes, block.qs);
  put_fifth_bits(codes, block.qh);
}

void quantize(const float* x, BlockQ4_1& block) {
  std::uint8_t codes[kBlock];
  const auto [scale, low] = round_between(x, 15, codes);
  block.d = float_to_half(scale);
  block.m = float_to_half(low);
  put_nibbles(codes, block.qs);
}

void quantize(const float* x, BlockQ5_1& block) {
  std::uint8_t codes[kBlock];
  const auto [scale, low] = round_between(x, 31, codes);
  block.d = float_to_half(scale);
  block.m = float_to_half(low);
  put_nibbles(codes, block.qs);
  put_fifth_bits(codes, block.qh);
}

constexpr std::array<std::int8_t, 16> signed_table() {
  std::array<std::int8_t, 16> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int8_t>(kTableIQ4[i] - 128);
  }
  return values;
}
constexpr std::array<std::int8_t, 16> kValuesIQ4 = signed_table();

void quantize(const float* x, BlockIQ4_NL& block) {
  block.d = float_to_half(fit_scale_of_table({x, kBlock}, kValuesIQ4));
  const float inverse = inverse_of(half_to_float(block.d));
  std::uint8_t codes[kBlock];
  for (int i = 0; i < kBlock; ++i) {
    codes[i] = static_cast<std::uint8_t>(nearest_in_table(x[i] * inverse, kValuesIQ4));
  }
  put_nibbles(codes, block.qs);
}

template <typename Block, int kValues>
void quantize_blocks(const float* x, std::size_t columns, std::byte* out) {
  for (std::size_t i = 0; i < columns; i += kValues, out += sizeof(Block)) {
    Block block;
    quantize(x + i, block);
    std::memcpy(out, &block, sizeof block);  // rows have no alignment
  }
}

template <std::uint16_t (*kConvert)(float)>
void narrow_row(const float* x, std::size_t columns, std::byte* out) {
  for (std::size_t i = 0; i < columns; ++i) {
    const std::uint16_t bits = kConvert(x[i]);
    std::memcpy(out + 2 * i, &bits, sizeof bits);
  }
}

template <float (*kConvert)(std::uint16_t)>
void widen_row(const std::byte* row, std::size_t columns, float* out) {
  for (std::size_t i = 0; i < columns; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, row + 2 * i, sizeof bits);
    out[i] = kConvert(bits);
  }
}

void copy_row(const float* x, std::size_t columns, std::byte* out) {
  std::memcpy(out, x, columns * sizeof(float));
}

struct Row {
  DType dtype;
  void (*quantize)(const float* x, std::size_t columns, std::byte* out);
};
constexpr Row kRows[] = {
    {DType::kF32, copy_row},
    {DType::kF16, narrow_row<float_to_half>},
    {DType::kBF16, narrow_row<float_to_bf16>},
    {DType::kQ8_0, quantize_blocks<BlockQ8_0, kBlock>},
    {DType::kQ4_0, quantize_blocks<BlockQ4_0, kBlock>},
    {DType::kQ4_1, quantize_blocks<BlockQ4_1, kBlock>},
    {DType::kQ5_0, quantize_blocks<BlockQ5_0, kBlock>},
    {DType::kQ5_1, quantize_blocks<BlockQ5_1, kBlock>},
    {DType::kIQ4_NL, quantize_blocks<BlockIQ4_NL, kBlock>},
    {DType::kQ2_K, quantize_blocks<BlockQ2_K, kSuperBlock>},
    {DType::kQ3_K, quantize_blocks<BlockQ3_K, kSuperBlock>},
    {DType::kQ4_K, quantize_blocks<BlockQ4_K, kSuperBlock>},
    {DType::kQ5_K, quantize_blocks<BlockQ5_K, kSuperBlock>},
    {DType::kQ6_K, quantize_blocks<BlockQ6_K, kSuperBlock>},
};

const Row* find_row(DType dtype) {
  const Row* row = std::find_if(std::begin(kRows), std::end(kRows),
                                [&](const Row& each) { return each.dtype == dtype; });
  return row != std::end(kRows) ? row : nullptr;
}

}  // namespace

bool can_quantize(DType dtype) { return find_row(dtype) != nullptr; }

void quantize_row(DType dtype, const float* x, std::size_t columns, std::byte* out) {
  const Row* row = find_row(dtype);
  QUIRE_CHECK(row != nullptr, "nothing makes {}", dtype_name(dtype));
  row->quantize(x, columns, out);
}

void widen_float_row(DType dtype, const std::byte* row, std::size_t columns, float* out) {
  switch (dtype) {
    case DType::kF32:
      return static_cast<void>(std::memcpy(out, row, columns * sizeof(float)));
    case DType::kF16:
      return widen_row<half_to_float>(row, columns, out);
    case DType::kBF16:
      return widen_row<bf16_to_float>(row, columns, out);
    default:
      QUIRE_CHECK(false, "{} is no float", dtype_name(dtype));
  }
}

}  // namespace quire
