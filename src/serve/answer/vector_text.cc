#include "serve/answer/vector_text.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <iterator>

namespace quire {
namespace {

constexpr std::string_view kLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void append_bits(std::uint32_t bits, int size, bool is_big_endian, std::string& bytes) {
  for (int i = 0; i < size; ++i) {
    const int place = is_big_endian ? size - 1 - i : i;
    bytes += static_cast<char>((bits >> (8 * place)) & 0xFF);
  }
}

std::string bytes_of(std::span<const float> vector, const VectorForm& form) {
  std::string bytes;
  bytes.reserve(vector.size() * sizeof(float));
  for (const float value : vector) {
    if (form.type == VectorType::kF32) {
      append_bits(std::bit_cast<std::uint32_t>(value), 4, form.is_big_endian, bytes);
    } else {
      append_bits(form.type == VectorType::kF16 ? half_bits(value) : bfloat_bits(value), 2,
                  form.is_big_endian, bytes);
    }
  }
  return bytes;
}

// value / 2^shift, rounded to nearest, ties to even.
std::uint32_t shifted(std::uint32_t value, int shift) {
  if (shift > 31) return 0;
  const std::uint32_t rest = value & ((1u << shift) - 1), half = 1u << (shift - 1);
  const std::uint32_t whole = value >> shift;
  return whole + (rest > half || (rest == half && (whole & 1) != 0) ? 1 : 0);
}

}  // namespace

void append_base64(std::string_view bytes, std::string& out) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      const bool is_there = i + j <= bytes.size();
      out += is_there ? kLetters[(group >> (18 - 6 * j)) & 63] : '=';
    }
  }
}

void append_vector(std::span<const float> vector, const VectorForm& form, std::string& out) {
  if (form.is_base64) {
    out += '"';
    append_base64(bytes_of(vector, form), out);
    out += '"';
    return;
  }
  out += '[';
  for (std::size_t i = 0; i < vector.size(); ++i) {
    if (i > 0) out += ',';
    // The executor ends a request whose row is not finite.
    fmt::format_to(std::back_inserter(out), "{}", std::isfinite(vector[i]) ? vector[i] : 0.0f);
  }
  out += ']';
}

std::uint16_t half_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint32_t>(bits >> 16 & 0x8000);
  const int exponent = static_cast<int>(bits >> 23 & 0xFF) - 127 + 15;
  const std::uint32_t mantissa = bits & 0x7FFFFF;
  if (exponent >= 31) return static_cast<std::uint16_t>(sign | 0x7C00);
  const std::uint32_t rounded =
      exponent > 0 ? (static_cast<std::uint32_t>(exponent) << 10) + shifted(mantissa, 13)
                   : shifted(mantissa | 0x800000, 14 - exponent);
  return static_cast<std::uint16_t>(sign | rounded);
}

std::uint16_t bfloat_bits(float value) {
  return static_cast<std::uint16_t>(shifted(std::bit_cast<std::uint32_t>(value), 16));
}

}  // namespace quire
