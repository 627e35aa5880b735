// How a vector is written into an answer: numbers as JSON, the shortest that read back as the same
// float; or its bytes in base64, as 32- or 16-bit floats in either order.
// Pure. Used by dialects.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quire {

enum class VectorType : std::uint8_t { kF32, kF16, kBf16 };

struct VectorForm {
  bool is_base64 = false;
  VectorType type = VectorType::kF32;  // of base64
  bool is_big_endian = false;          // likewise
};

// A JSON array, or a JSON string.
void append_vector(std::span<const float> vector, const VectorForm& form, std::string& out);

void append_base64(std::string_view bytes, std::string& out);

// Rounded to nearest, ties to even.
std::uint16_t half_bits(float value);
std::uint16_t bfloat_bits(float value);

}  // namespace quire
