// The portable table: four lanes of GCC vector extensions, which every 64-bit machine has (SSE2,
// NEON). It is the plain twin of the wide tables, the floor on machines without AVX2, and the table
// of 64-bit Arm. Its fma rounds once as theirs does, so that it answers with the same bits.
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/kernel_table.h"
#include "kernels/select.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

constexpr int kLanes = 4;
constexpr int kPassTiles = 2;     // weight tiles that share an activation
constexpr int kInt8Columns = 4;   // tokens per pass over integer weights
constexpr int kPartColumns = 4;   // and over those with two scales a group
constexpr int kFloatColumns = 4;  // tokens per pass over float weights
constexpr int kStreamTokens = 2;  // up to here weights are not fetched ahead
constexpr int kNearTokens = 0;    // up to here from near
constexpr int kAccumulatorsMax = 8;  // vectors of a block of attention
using F = float __attribute__((vector_size(16)));
using I = std::int32_t __attribute__((vector_size(16)));
using U = std::uint32_t __attribute__((vector_size(16)));
using B = std::uint8_t __attribute__((vector_size(16)));

inline void fetch_line(const char* at) { __builtin_prefetch(at, 0, 2); }  // into L2
inline void fetch_soon(const void* at) { __builtin_prefetch(at, 0, 3); }  // into L1
inline F splat(float x) { return F{x, x, x, x}; }
inline F load(const float* p) {
  F x;
  std::memcpy(&x, p, sizeof x);
  return x;
}
inline void store(float* p, F x) { std::memcpy(p, &x, sizeof x); }
inline F load_partial(const float* p, int count) {  // the other lanes are zero
  F x = {};
  for (int i = 0; i < count; ++i) x[i] = p[i];
  return x;
}
inline void store_partial(float* p, F x, int count) {
  for (int i = 0; i < count; ++i) p[i] = x[i];
}
#if defined(__SSE2__)
// a * b is exact in double; the sum there is rounded, and once more to float. That gives another
// float than one rounding only if the double lies half-way between two floats: then, about once in
// 2^29, the library decides. (Below 2^-126, where floats are sparser, nothing checks.)
inline F fma(F a, F b, F c) {
  using D = double __attribute__((vector_size(16)));
  const auto low = [](F x) { return reinterpret_cast<D>(_mm_cvtps_pd(x)); };
  const auto high = [](F x) { return reinterpret_cast<D>(_mm_cvtps_pd(_mm_movehl_ps(x, x))); };
  const D first = low(a) * low(b) + low(c), second = high(a) * high(b) + high(c);
  const __m128i lower_halves = _mm_castps_si128(_mm_shuffle_ps(
      reinterpret_cast<F>(first), reinterpret_cast<F>(second), _MM_SHUFFLE(2, 0, 2, 0)));
  const __m128i half_way =
      _mm_cmpeq_epi32(_mm_and_si128(lower_halves, _mm_set1_epi32(0x1FFFFFFF)),
                      _mm_set1_epi32(0x10000000));
  if (__builtin_expect(_mm_movemask_epi8(half_way) != 0, 0)) {
    return F{std::fma(a[0], b[0], c[0]), std::fma(a[1], b[1], c[1]), std::fma(a[2], b[2], c[2]),
             std::fma(a[3], b[3], c[3])};
  }
  return _mm_movelh_ps(_mm_cvtpd_ps(first), _mm_cvtpd_ps(second));
}
#elif defined(__ARM_NEON)
inline F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
#else
inline F fma(F a, F b, F c) {
  return F{std::fma(a[0], b[0], c[0]), std::fma(a[1], b[1], c[1]), std::fma(a[2], b[2], c[2]),
           std::fma(a[3], b[3], c[3])};
}
#endif
// The second operand where either is NaN, as the x86 instruction does.
inline F max(F a, F b) { return a > b ? a : b; }
inline F min(F a, F b) { return a < b ? a : b; }
inline F select_less(F a, F b, F yes, F no) { return a < b ? yes : no; }
inline F square_root(F x) {
  for (int i = 0; i < kLanes; ++i) x[i] = std::sqrt(x[i]);
  return x;
}
inline int bits_above(F a, F b) {  // bit i: a[i] > b[i]
  int bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= (a[i] > b[i]) << i;
  return bits;
}
// Sums and maxima fold the upper half onto the lower one, in every table.
inline float sum_lanes(F x) { return (x[0] + x[2]) + (x[1] + x[3]); }
inline float max_lane(F x) {
  const F y = max(x, F{x[2], x[3], x[0], x[1]});
  return y[0] > y[1] ? y[0] : y[1];
}
// x[i][j] becomes x[j][i].
inline void transpose(F (&x)[kLanes]) {
  const F a = {x[0][0], x[1][0], x[0][1], x[1][1]}, b = {x[0][2], x[1][2], x[0][3], x[1][3]};
  const F c = {x[2][0], x[3][0], x[2][1], x[3][1]}, d = {x[2][2], x[3][2], x[2][3], x[3][3]};
  x[0] = F{a[0], a[1], c[0], c[1]};
  x[1] = F{a[2], a[3], c[2], c[3]};
  x[2] = F{b[0], b[1], d[0], d[1]};
  x[3] = F{b[2], b[3], d[2], d[3]};
}
inline F load_half(const std::uint16_t* p) {
  return F{half_to_float(p[0]), half_to_float(p[1]), half_to_float(p[2]), half_to_float(p[3])};
}
inline F load_bf16(const std::uint16_t* p) {
  return F{bf16_to_float(p[0]), bf16_to_float(p[1]), bf16_to_float(p[2]), bf16_to_float(p[3])};
}
inline void store_half(std::uint16_t* p, F x) {
  for (int i = 0; i < kLanes; ++i) p[i] = float_to_half(x[i]);
}
inline void store_bf16(std::uint16_t* p, F x) {
  for (int i = 0; i < kLanes; ++i) p[i] = float_to_bf16(x[i]);
}
inline F load_u8(const std::uint8_t* p) {
  return F{float(p[0]), float(p[1]), float(p[2]), float(p[3])};
}
inline F load_i8(const std::int8_t* p) {
  return F{float(p[0]), float(p[1]), float(p[2]), float(p[3])};
}
inline float half_of_e4m3(std::uint8_t code) {
  return half_to_float(static_cast<std::uint16_t>((code & 0x80) << 8 | (code & 0x7F) << 7));
}
inline F load_e4m3(const std::uint8_t* p) {  // one code of each lane, 2^8 times smaller
  return F{half_of_e4m3(p[0]), half_of_e4m3(p[1]), half_of_e4m3(p[2]), half_of_e4m3(p[3])};
}
// Four E4M3 codes of each lane side by side, as floats 2^120 times smaller.
inline float load_e4m3(std::uint8_t code) {
  return std::bit_cast<float>(static_cast<std::uint32_t>((code & 0x80) << 24 |
                                                         (code & 0x7F) << 20));
}
inline void load_e4m3(const std::uint8_t* p, F (&w)[4]) {
  for (int i = 0; i < 4; ++i) {
    w[i] = F{load_e4m3(p[i]), load_e4m3(p[4 + i]), load_e4m3(p[8 + i]), load_e4m3(p[12 + i])};
  }
}
inline F load_low_nibbles(const std::uint8_t* p) {
  return F{float(p[0] & 15), float(p[1] & 15), float(p[2] & 15), float(p[3] & 15)};
}
inline F load_high_nibbles(const std::uint8_t* p) {
  return F{float(p[0] >> 4), float(p[1] >> 4), float(p[2] >> 4), float(p[3] >> 4)};
}

inline I splat_int(std::int32_t x) { return I{x, x, x, x}; }
inline I add(I a, I b) { return a + b; }
inline I subtract(I a, I b) { return a - b; }
template <int kShift>
inline I shift_left(I a) {
  return reinterpret_cast<I>(reinterpret_cast<U>(a) << kShift);
}
template <int kShift>
inline I shift_right(I a) {
  return reinterpret_cast<I>(reinterpret_cast<U>(a) >> kShift);
}
template <int kShift>
inline I shift_right_signed(I a) {
  return a >> kShift;
}
inline F to_float(I x) { return __builtin_convertvector(x, F); }
inline I round_to_int(F x) {  // |x| < 2^22, ties to even
  const F magic = splat(12582912.0f);
  return __builtin_convertvector((x + magic) - magic, I);
}
inline F as_float(I x) { return reinterpret_cast<F>(x); }
inline I abs_bits(F x) { return reinterpret_cast<I>(x) & 0x7FFFFFFF; }
inline I max_int(I a, I b) { return a > b ? a : b; }
inline int max_lane(I x) {
  x = max_int(x, I{x[2], x[3], x[2], x[3]});
  return x[0] > x[1] ? x[0] : x[1];
}
inline int sum_lanes(I x) { return x[0] + x[1] + x[2] + x[3]; }
inline void store_codes(std::int8_t* p, I x) {  // values in [-128, 127]
  for (int i = 0; i < kLanes; ++i) p[i] = static_cast<std::int8_t>(x[i]);
}

// Codes: four bytes per lane.
constexpr bool kSignedWideCodes = false;
inline B load_codes(const std::uint8_t* p) {
  B x;
  std::memcpy(&x, p, sizeof x);
  return x;
}
inline B low_nibbles(B x) { return x & 15; }
inline B high_nibbles(B x) { return x >> 4; }
template <int kRight, int kMask>
inline B shift_bits(B x) {  // of each byte, right or (below zero) left, those of kMask
  constexpr auto kCount = static_cast<std::uint8_t>(kRight < 0 ? -kRight : kRight);
  return (kRight < 0 ? x << kCount : x >> kCount) & static_cast<std::uint8_t>(kMask);
}
inline B load_table(const std::uint8_t* p) { return load_codes(p); }
inline B look_up(B table, B nibbles) {
  for (int i = 0; i < 16; ++i) nibbles[i] = table[nibbles[i]];
  return nibbles;
}
// Four activation codes, the same for every lane, as pairs of 16 bits.
struct X4 {
  I even, odd;  // codes 0 and 2; codes 1 and 3
};
inline X4 splat_codes(const std::int8_t* p) {
  const auto pair = [](int low, int high) {
    return splat_int(static_cast<std::int32_t>(static_cast<std::uint32_t>(high) << 16 |
                                               (static_cast<std::uint32_t>(low) & 0xFFFFu)));
  };
  return {pair(p[0], p[2]), pair(p[1], p[3])};
}
// Per lane the sum of the two products of 16-bit halves.
inline I multiply_pairs(I a, I b) {
#if defined(__SSE2__)
  return reinterpret_cast<I>(
      _mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
#endif
}
inline I dot(I sum, B w, X4 x) {
  const U codes = reinterpret_cast<U>(w);
  const U even = codes & 0x00FF00FFu, odd = codes >> 8 & 0x00FF00FFu;
  sum += multiply_pairs(reinterpret_cast<I>(even), x.even);
  return sum + multiply_pairs(reinterpret_cast<I>(odd), x.odd);
}
inline I dot_wide(I sum, B w, X4 x) { return dot(sum, w, x); }
inline I dot_signed(I sum, B v, X4 x) {  // signed bytes
  using H = std::int16_t __attribute__((vector_size(16)));
  const H codes = reinterpret_cast<H>(v);
  const H even = reinterpret_cast<H>(reinterpret_cast<U>(v) << 8 & 0xFF00FF00u) >> 8;
  sum += multiply_pairs(reinterpret_cast<I>(even), x.even);
  return sum + multiply_pairs(reinterpret_cast<I>(codes >> 8), x.odd);
}

// Two bfloat16 values per lane, the earlier one in the low half.
inline F dot_bf16(F sum, const std::uint16_t* w, const std::uint16_t* x) {
  I pairs;
  std::memcpy(&pairs, w, sizeof pairs);
  const U bits = reinterpret_cast<U>(pairs);
  sum = fma(reinterpret_cast<F>(bits << 16), splat(bf16_to_float(x[0])), sum);
  return fma(reinterpret_cast<F>(bits & 0xFFFF0000u), splat(bf16_to_float(x[1])), sum);
}

#include "kernels/generic/all.inl"

}  // namespace

const KernelTable kScalarKernels = make_table("scalar");

}  // namespace quire
