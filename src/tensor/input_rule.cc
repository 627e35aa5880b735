#include "tensor/input_rule.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/float_bits.h"

namespace quire {
namespace {

constexpr float kE4M3Max = 448, kE2M1Max = 6;
constexpr std::size_t kNvfp4Group = 16, kMxfp4Group = 32;

// Steps are powers of two, so that all of this is exact but for the one rounding.
float round_to(float value, int mantissa_bits, int exponent_min, float most) {
  const float size = std::abs(value);
  if (!(size < most)) return std::isnan(value) ? value : std::copysign(most, value);
  if (size == 0) return value;
  const int exponent = std::max(std::ilogb(size), exponent_min);
  const float step = std::ldexp(1.0f, exponent - mantissa_bits);
  return std::copysign(std::nearbyint(size / step) * step, value);
}

float largest_of(const float* x, std::size_t count) {
  float largest = 0;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i]));
  return largest;
}

void round_e4m3(const InputRule& rule, std::size_t count, float* x) {
  float scale = rule.scale;
  if (scale == 0) {
    float largest = largest_of(x, count);
    if (rule.limit > 0) largest = std::min(largest, rule.limit);
    scale = largest / kE4M3Max;
    if (rule.is_power_of_two && scale > 0) scale = std::exp2(std::ceil(std::log2(scale)));
  }
  if (!(scale > 0) || !std::isfinite(scale)) return;  // zeros, or a row that is no numbers
  for (std::size_t i = 0; i < count; ++i) x[i] = round_to_e4m3(x[i] / scale) * scale;
}

void round_nvfp4(const InputRule& rule, std::size_t columns, float* x) {
  // Of a row that no scale is stated for, the largest one that lets all groups have theirs.
  const float outer =
      rule.scale > 0 ? rule.scale : largest_of(x, columns) / (kE4M3Max * kE2M1Max);
  if (!(outer > 0) || !std::isfinite(outer)) return;
  for (std::size_t begin = 0; begin < columns; begin += kNvfp4Group) {
    const std::size_t end = std::min(columns, begin + kNvfp4Group);
    const float found = largest_of(x + begin, end - begin) / kE2M1Max / outer;
    const float scale = round_to_e4m3(found) * outer;
    for (std::size_t i = begin; i < end; ++i) {
      x[i] = scale > 0 ? round_to_e2m1(x[i] / scale) * scale : x[i] * 0;
    }
  }
}

void round_mxfp4(std::size_t columns, float* x) {
  for (std::size_t begin = 0; begin < columns; begin += kMxfp4Group) {
    const std::size_t end = std::min(columns, begin + kMxfp4Group);
    const float largest = largest_of(x + begin, end - begin);
    if (!(largest > 0) || !std::isfinite(largest)) continue;
    const float scale = std::ldexp(1.0f, std::max(std::ilogb(largest) - 2, -127));
    for (std::size_t i = begin; i < end; ++i) x[i] = round_to_e2m1(x[i] / scale) * scale;
  }
}

void round_int8(const InputRule& rule, std::size_t columns, float* x) {
  const auto stays = [&](float value) {
    return rule.threshold > 0 && std::abs(value) >= rule.threshold;
  };
  float scale = rule.scale;
  if (scale == 0) {
    float largest = 0;
    for (std::size_t i = 0; i < columns; ++i) {
      if (!stays(x[i])) largest = std::max(largest, std::abs(x[i]));
    }
    scale = largest / 127;
  }
  for (std::size_t i = 0; i < columns; ++i) {
    if (stays(x[i])) {
      x[i] = half_to_float(float_to_half(x[i]));
    } else if (scale > 0 && std::isfinite(scale)) {
      x[i] = std::clamp(std::nearbyint(x[i] / scale), -127.0f, 127.0f) * scale;
    }
  }
}

}  // namespace

float round_to_e4m3(float value) { return round_to(value, 3, -6, kE4M3Max); }
float round_to_e2m1(float value) { return round_to(value, 1, 0, kE2M1Max); }

void follow(const InputRule& rule, const float* x, std::size_t columns, float* out) {
  if (rule.order == nullptr) {
    std::memcpy(out, x, columns * sizeof(float));
  } else {
    for (std::size_t i = 0; i < columns; ++i) out[i] = x[rule.order[i]];
  }
  switch (rule.rounding) {
    case InputRule::Rounding::kNone: return;
    case InputRule::Rounding::kE4M3: {
      const std::size_t group = rule.group == 0 ? columns : rule.group;
      for (std::size_t begin = 0; begin < columns; begin += group) {
        round_e4m3(rule, std::min(group, columns - begin), out + begin);
      }
      return;
    }
    case InputRule::Rounding::kNvfp4: return round_nvfp4(rule, columns, out);
    case InputRule::Rounding::kMxfp4: return round_mxfp4(columns, out);
    case InputRule::Rounding::kInt8: return round_int8(rule, columns, out);
  }
}

}  // namespace quire
