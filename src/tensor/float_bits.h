// Conversions between float and its 16-bit relatives, exact and round-to-nearest-even, in plain
// integer arithmetic: the same on every machine and build. The kernels' vector conversions are
// tested against these. Any thread.
#pragma once

#include <bit>
#include <cstdint>

namespace quire {

constexpr float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

constexpr std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

constexpr float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t rest = half & 0x7FFF;
  if (rest >= 0x7C00) return std::bit_cast<float>(sign | 0x7F800000 | (rest & 0x3FF) << 13);
  if (rest >= 0x0400) return std::bit_cast<float>(sign | ((rest << 13) + (112u << 23)));
  const float magnitude = static_cast<float>(rest) * 0x1p-24f;  // subnormal or zero, exact
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

constexpr std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t rest = bits & 0x7FFFFFFF;
  if (rest > 0x7F800000) return sign | 0x7E00;
  if (rest >= 0x477FF000) return sign | 0x7C00;  // rounds to infinity
  if (rest >= 0x38800000) {                      // normal
    const std::uint32_t rounded = rest + 0xFFF + (rest >> 13 & 1);
    return static_cast<std::uint16_t>(sign | (rounded - (112u << 23)) >> 13);
  }
  // Subnormal: let the float adder round at 2^-24.
  const float shifted = std::bit_cast<float>(rest) + 0.5f;
  return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000));
}

// Eight bits with four of exponent and no infinity (OCP E4M3): 0x7F and 0xFF are NaN.
constexpr float e4m3_to_float(std::uint8_t code) {
  const std::uint32_t sign = static_cast<std::uint32_t>(code & 0x80) << 24;
  const std::uint32_t rest = code & 0x7F;
  if (rest == 0x7F) return std::bit_cast<float>(sign | 0x7FC00000);
  if (rest >= 8) return std::bit_cast<float>(sign | ((rest << 20) + (120u << 23)));
  const float magnitude = static_cast<float>(rest) * 0x1p-9f;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

// The power-of-two scale of MXFP4, 2^(exponent - 128): its codes are twice what they stand for.
// 255, which is no number there, gives infinity.
constexpr float exponent_to_float(std::uint8_t exponent) {
  const std::uint32_t twice = exponent == 0 ? 1u << 22 : static_cast<std::uint32_t>(exponent) << 23;
  return std::bit_cast<float>(twice) * 0.5f;
}

}  // namespace quire
