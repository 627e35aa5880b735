// InputRule: what a weight's codes suppose of the numbers that they are multiplied with. Columns
// may lie in another order (groups of act-order lie together, so that four bits stay four bits),
// and whoever made the checkpoint may have rounded the numbers, too, to FP8, FP4 or int8. A backend
// applies a rule row by row, before the products: what comes of a row depends on that row alone.
// Owns nothing. Plain value; any thread. Made by formats/quant, applied by backends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quire {

struct InputRule {
  enum class Rounding : std::uint8_t {
    kNone,
    kE4M3,   // FP8, the largest value of a row or group becoming 448
    kNvfp4,  // E2M1 in groups of 16 with a scale of E4M3, which `scale` multiplies
    kMxfp4,  // E2M1 in groups of 32 with a power of two
    kInt8,   // -127 to 127
  };

  Rounding rounding = Rounding::kNone;
  bool is_power_of_two = false;  // kE4M3: scales that are found are raised to one
  float scale = 0;               // stated, for all rows; 0: found in each row or group
  float limit = 0;               // kE4M3: magnitudes beyond it count as this; 0: none
  float threshold = 0;           // kInt8: magnitudes from this on stay, as float16; 0: none
  std::size_t group = 0;         // kE4M3: columns of a scale; 0: all
  const std::uint32_t* order = nullptr;  // [columns]: which column comes there; null: as they are

  explicit operator bool() const { return rounding != Rounding::kNone || order != nullptr; }
  bool operator==(const InputRule&) const = default;
};

// One row in the order of the rule, and rounded: out[i] of x[order[i]].  x, out: [columns], apart.
void follow(const InputRule& rule, const float* x, std::size_t columns, float* out);

// To the nearest number of E4M3, of E2M1: ties to even, the largest one beyond; NaN stays.
float round_to_e4m3(float value);
float round_to_e2m1(float value);

}  // namespace quire
