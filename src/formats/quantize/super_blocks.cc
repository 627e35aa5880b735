#include "formats/quantize/super_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/quantize/scale_search.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

// A number as a whole multiple of a unit that half precision holds.
int multiple(float value, float unit, int least, int most) {
  if (unit == 0) return 0;
  return nearest(std::clamp(value / unit, static_cast<float>(least), static_cast<float>(most)));
}

// The nearest code, whatever it would be without bounds.
std::uint8_t bounded_code(float value, int least, int most) {
  return static_cast<std::uint8_t>(
      nearest(std::clamp(value, static_cast<float>(least), static_cast<float>(most))) - least);
}

// --- scale * code - minimum: Q2_K, Q4_K, Q5_K ---

template <int kParts>
struct AffineCodes {
  std::uint16_t d, dmin;
  int scales[kParts], minima[kParts];  // multiples of d and dmin
  std::uint8_t codes[kSuperBlock];
};

template <int kParts>
AffineCodes<kParts> affine_codes(const float* x, int code_max, int multiple_max) {
  constexpr int kValues = kSuperBlock / kParts;
  ScaleAndMinimum fits[kParts];
  float scale_max = 0, minimum_max = 0;
  for (int part = 0; part < kParts; ++part) {
    fits[part] = fit_scale_and_minimum({x + part * kValues, kValues}, code_max);
    scale_max = std::max(scale_max, fits[part].scale);
    minimum_max = std::max(minimum_max, fits[part].minimum);
  }
  AffineCodes<kParts> out;
  out.d = float_to_half(scale_max / static_cast<float>(multiple_max));
  out.dmin = float_to_half(minimum_max / static_cast<float>(multiple_max));
  const float d = half_to_float(out.d), dmin = half_to_float(out.dmin);
  for (int part = 0; part < kParts; ++part) {
    out.scales[part] = multiple(fits[part].scale, d, 0, multiple_max);
    out.minima[part] = multiple(fits[part].minimum, dmin, 0, multiple_max);
    const float scale = d * static_cast<float>(out.scales[part]);
    const float minimum = dmin * static_cast<float>(out.minima[part]);
    for (int i = part * kValues; i < (part + 1) * kValues; ++i) {
      out.codes[i] = scale > 0 ? bounded_code((x[i] + minimum) / scale, 0, code_max) : 0;
    }
  }
  return out;
}

// Six bits each of eight scales and minima in twelve bytes.
void put_six_bits(const int* scales, const int* minima, std::uint8_t* out) {
  for (int s = 0; s < 4; ++s) {
    out[s] = static_cast<std::uint8_t>(scales[s] | scales[s + 4] >> 4 << 6);
    out[s + 4] = static_cast<std::uint8_t>(minima[s] | minima[s + 4] >> 4 << 6);
    out[s + 8] = static_cast<std::uint8_t>((scales[s + 4] & 15) | (minima[s + 4] & 15) << 4);
  }
}

// The low nibbles of 64 values in 32 bytes.
void put_nibbles_of_64(const std::uint8_t* codes, std::uint8_t* qs) {
  for (int i = 0; i < kSuperBlock / 2; ++i) {
    const int at = i / 32 * 64 + i % 32;
    qs[i] = static_cast<std::uint8_t>((codes[at] & 15) | (codes[at + 32] & 15) << 4);
  }
}

void put_two_bits(const std::uint8_t* codes, std::uint8_t* qs) {
  for (int i = 0; i < kSuperBlock / 4; ++i) {
    const std::uint8_t* first = codes + i / 32 * 128 + i % 32;
    qs[i] = static_cast<std::uint8_t>((first[0] & 3) | (first[32] & 3) << 2 |
                                      (first[64] & 3) << 4 | (first[96] & 3) << 6);
  }
}

// --- scale * code, codes about zero: Q3_K, Q6_K ---

struct SignedCodes {
  std::uint16_t d;
  int scales[16];  // multiples of d
  std::uint8_t codes[kSuperBlock];  // from 0 on
};

// Multiples lie in [-multiple_limit, multiple_limit - 1].
SignedCodes signed_codes(const float* x, int limit, int multiple_limit) {
  constexpr int kParts = 16, kValues = kSuperBlock / kParts;
  float fits[kParts], extreme = 0;
  for (int part = 0; part < kParts; ++part) {
    fits[part] = fit_scale({x + part * kValues, kValues}, limit);
    if (std::fabs(fits[part]) > std::fabs(extreme)) extreme = fits[part];
  }
  SignedCodes out;
  out.d = float_to_half(extreme / static_cast<float>(-multiple_limit));
  const float d = half_to_float(out.d);
  for (int part = 0; part < kParts; ++part) {
    out.scales[part] = multiple(fits[part], d, -multiple_limit, multiple_limit - 1);
    const float scale = d * static_cast<float>(out.scales[part]);
    for (int i = part * kValues; i < (part + 1) * kValues; ++i) {
      const float exact = scale != 0 ? x[i] / scale : 0.0f;
      out.codes[i] = bounded_code(exact, -limit, limit - 1);
    }
  }
  return out;
}

}  // namespace

void quantize(const float* x, BlockQ4_K& block) {
  const auto found = affine_codes<8>(x, 15, 63);
  block.d = found.d;
  block.dmin = found.dmin;
  put_six_bits(found.scales, found.minima, block.scales);
  put_nibbles_of_64(found.codes, block.qs);
}

void quantize(const float* x, BlockQ5_K& block) {
  const auto found = affine_codes<8>(x, 31, 63);
  block.d = found.d;
  block.dmin = found.dmin;
  put_six_bits(found.scales, found.minima, block.scales);
  put_nibbles_of_64(found.codes, block.qs);
  std::memset(block.qh, 0, sizeof block.qh);
  for (int i = 0; i < kSuperBlock; ++i) {
    block.qh[i % 32] =
        static_cast<std::uint8_t>(block.qh[i % 32] | (found.codes[i] >> 4) << (i / 32));
  }
}

void quantize(const float* x, BlockQ2_K& block) {
  const auto found = affine_codes<16>(x, 3, 15);
  block.d = found.d;
  block.dmin = found.dmin;
  for (int s = 0; s < 16; ++s) {
    block.scales[s] = static_cast<std::uint8_t>(found.scales[s] | found.minima[s] << 4);
  }
  put_two_bits(found.codes, block.qs);
}

void quantize(const float* x, BlockQ6_K& block) {
  const SignedCodes found = signed_codes(x, 32, 128);
  block.d = found.d;
  for (int s = 0; s < 16; ++s) block.scales[s] = static_cast<std::int8_t>(found.scales[s]);
  for (int half = 0; half < 2; ++half) {
    for (int i = 0; i < 32; ++i) {
      const std::uint8_t* codes = found.codes + half * 128 + i;
      std::uint8_t* low = block.ql + half * 64 + i;
      low[0] = static_cast<std::uint8_t>((codes[0] & 15) | (codes[64] & 15) << 4);
      low[32] = static_cast<std::uint8_t>((codes[32] & 15) | (codes[96] & 15) << 4);
      block.qh[half * 32 + i] = static_cast<std::uint8_t>(
          codes[0] >> 4 | codes[32] >> 4 << 2 | codes[64] >> 4 << 4 | codes[96] >> 4 << 6);
    }
  }
}

void quantize(const float* x, BlockQ3_K& block) {
  const SignedCodes found = signed_codes(x, 4, 32);
  block.d = found.d;
  std::memset(block.scales, 0, sizeof block.scales);
  for (int s = 0; s < 16; ++s) {  // low nibbles in eight bytes, pairs of high bits in four
    const int code = found.scales[s] + 32;
    std::uint8_t& low = block.scales[s % 8];
    std::uint8_t& high = block.scales[8 + s % 4];
    low = static_cast<std::uint8_t>(low | (code & 15) << (s / 8 * 4));
    high = static_cast<std::uint8_t>(high | code >> 4 << (s / 4 * 2));
  }
  put_two_bits(found.codes, block.qs);
  std::memset(block.hmask, 0, sizeof block.hmask);
  for (int i = 0; i < kSuperBlock; ++i) {
    block.hmask[i % 32] =
        static_cast<std::uint8_t>(block.hmask[i % 32] | (found.codes[i] >> 2) << (i / 32));
  }
}

}  // namespace quire
