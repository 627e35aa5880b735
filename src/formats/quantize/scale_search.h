// Scales for a handful of values that are to become small integers: the scale (and the minimum)
// with the least weighted square error, over several roundings. Each rounding of the values gives
// codes, codes give the best scale in closed form, and of all the best is kept. Errors weigh more
// where values are large, since those move a product most.
// Pure functions in plain arithmetic: the same bits everywhere, at any number of threads.
// Used by row_quantizers and super_blocks.
#pragma once

#include <cstdint>
#include <span>

namespace quire {

// value = scale * code - minimum, neither below zero.
struct ScaleAndMinimum {
  float scale = 0;
  float minimum = 0;
};

// Codes 0 to code_max.  REQUIRES: 1 to 64 finite values.
ScaleAndMinimum fit_scale_and_minimum(std::span<const float> values, int code_max);

// value = scale * code with codes -limit to limit - 1: the scale may be negative, so that the
// largest magnitude gets the code that only one sign has.
float fit_scale(std::span<const float> values, int limit);

// value = scale * table[code], the table ascending.
float fit_scale_of_table(std::span<const float> values, std::span<const std::int8_t, 16> table);
int nearest_in_table(float value, std::span<const std::int8_t, 16> table);

// To the nearest whole number, ties to even.  REQUIRES: |value| < 2^22.
inline int nearest(float value) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: what is added to it has no fraction
  return static_cast<int>((value + kShift) - kShift);
}

}  // namespace quire
