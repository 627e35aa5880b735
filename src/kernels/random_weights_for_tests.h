// For tests: blocks of any type with every bit random, then a scale that makes the values look like
// weights of a wanted size. So each code, sub-scale, sign and codebook entry that a format has
// comes up.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <span>

#include "tensor/dtype.h"
#include "tensor/float_bits.h"

namespace quire::testing {

// Where a block keeps its half-precision scale, and the typical size of what it multiplies.
struct RandomScale {
  std::size_t at = 0;
  float unit = 1;
  bool has_minimum = false;  // a second half follows
};
inline RandomScale random_scale(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
    case DType::kQ4_Z:
    case DType::kQ5_0:
      return {0, 9};
    case DType::kQ4_1:
    case DType::kQ5_1:
      return {0, 9, true};
    case DType::kQ8_0:
    case DType::kIQ4_NL:
      return {0, 70};
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {0, 300, true};
    case DType::kQ6_K:
      return {208, 1300};
    case DType::kQ2_K:
      return {80, 15, true};
    case DType::kQ3_K:
      return {108, 43};
    case DType::kIQ4_XS:
      return {0, 1250};
    case DType::kTQ1_0:
      return {52, 1};
    case DType::kTQ2_0:
      return {64, 1};
    case DType::kIQ1_S:
    case DType::kIQ1_M:
      return {0, 7};  // IQ1_M: see below
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
      return {0, 45};
    case DType::kIQ3_XXS:
      return {0, 130};
    case DType::kIQ3_S:
      return {0, 140};
    case DType::kMXFP4:
      return {0, 6};
    case DType::kNVFP4:
      return {0, 3};
    case DType::kNF4:
    case DType::kFP4:
      return {0, 0.6f};
    case DType::kQ4_F:
      return {0, 8};
    default:
      return {};
  }
}

// Makes the scale of a block about `scale` (and its minimum `minimum`), whatever else it holds.
inline void set_scale(DType dtype, float scale, float minimum, std::byte* block) {
  const auto put = [&](std::size_t at, std::uint16_t bits) {
    std::memcpy(block + at, &bits, sizeof bits);
  };
  const std::uint16_t half = float_to_half(scale);
  if (dtype == DType::kF8 && (block[0] & std::byte{0x7F}) == std::byte{0x7F}) block[0] = {};  // NaN
  if (has_scales_beside(dtype)) return;
  if (dtype == DType::kNF4 || dtype == DType::kFP4) {
    std::memcpy(block, &scale, sizeof scale);
    return;
  }
  if (dtype == DType::kQ4_F) {
    std::memcpy(block, &scale, sizeof scale);
    std::memcpy(block + sizeof scale, &minimum, sizeof minimum);
    return;
  }
  if (dtype == DType::kNVFP4) {
    const int exponent = scale == 0 ? 0 : std::clamp(7 + std::ilogb(scale), 0, 14);
    for (std::size_t i = 0; i < 4; ++i) {
      block[i] = (block[i] & std::byte{7}) | static_cast<std::byte>(8 * exponent);
    }
    return;
  }
  if (dtype == DType::kF32) {
    std::memcpy(block, &scale, sizeof scale);
  } else if (dtype == DType::kBF16) {
    put(0, float_to_bf16(scale));
  } else if (dtype == DType::kMXFP4) {
    const int exponent = scale == 0 ? 0 : 128 + std::ilogb(scale);
    block[0] = static_cast<std::byte>(std::clamp(exponent, 0, 254));
  } else if (dtype == DType::kIQ1_M) {  // a nibble of the scale on top of each of four words
    for (std::size_t i = 0; i < 4; ++i) {
      std::byte& top = block[48 + 2 * i + 1];
      top = (top & std::byte{15}) | static_cast<std::byte>((half >> (4 * i) & 15) << 4);
    }
  } else {
    const RandomScale where = random_scale(dtype);
    put(where.at, half);
    if (where.has_minimum) put(where.at + 2, float_to_half(minimum));
  }
}

inline void fill_constant_block(DType dtype, unsigned char byte, std::byte* block) {
  std::memset(block, byte, dtype_info(dtype).block_bytes);
  set_scale(dtype, 1, 0.5f, block);
}

inline void fill_random_block(DType dtype, std::mt19937& engine, float size, std::byte* block) {
  for (std::size_t i = 0; i < dtype_info(dtype).block_bytes; ++i) {
    block[i] = static_cast<std::byte>(engine() & 255);
  }
  std::normal_distribution<float> normal(0, size / random_scale(dtype).unit);
  const float scale = normal(engine), minimum = normal(engine);
  set_scale(dtype, scale, minimum, block);
}

inline void fill_random_weights(DType dtype, std::mt19937& engine, float size,
                                std::span<std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += dtype_info(dtype).block_bytes) {
    fill_random_block(dtype, engine, size, &bytes[at]);
  }
}

}  // namespace quire::testing
