// Vectors of sixteen lanes: what avx512.cc and avx512_vnni.cc share. They differ in how bf16
// weights are multiplied. Bytes go through vpdpbusd, which multiplies unsigned weight codes with
// signed activation codes exactly.
// Included once per instruction set, inside its target region.

constexpr int kLanes = 16;
constexpr int kPassTiles = 2;     // weight tiles that share an activation
constexpr int kInt8Columns = 6;   // tokens per pass over integer weights
constexpr int kPartColumns = 4;   // and over those with two scales a group
constexpr int kFloatColumns = 8;  // tokens per pass over float weights
constexpr int kStreamTokens = 1;  // up to here weights are not fetched ahead
constexpr int kNearTokens = 4;    // up to here from near
constexpr int kAccumulatorsMax = 24;  // vectors of a block of attention
using F = __m512;
using I = __m512i;
using B = __m512i;

inline void fetch_line(const char* at) { __builtin_prefetch(at, 0, 2); }  // into L2
inline void fetch_soon(const void* at) { __builtin_prefetch(at, 0, 3); }  // into L1
inline F splat(float x) { return _mm512_set1_ps(x); }
inline F load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, F x) { _mm512_storeu_ps(p, x); }
inline __mmask16 first_lanes(int count) { return static_cast<__mmask16>((1u << count) - 1); }
inline F load_partial(const float* p, int count) {
  return _mm512_maskz_loadu_ps(first_lanes(count), p);
}
inline void store_partial(float* p, F x, int count) {
  _mm512_mask_storeu_ps(p, first_lanes(count), x);
}
inline F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
inline F max(F a, F b) { return _mm512_max_ps(a, b); }  // b where either is NaN
inline F min(F a, F b) { return _mm512_min_ps(a, b); }
inline F select_less(F a, F b, F yes, F no) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}
inline F square_root(F x) { return _mm512_sqrt_ps(x); }
inline int bits_above(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
// Sums and maxima fold the upper half onto the lower one, in every table.
inline F upper_half(F x) { return _mm512_shuffle_f32x4(x, x, 0x4E); }
inline float sum_lanes(F x) {
  const __m256 a = _mm512_castps512_ps256(x + upper_half(x));
  __m128 y = _mm256_castps256_ps128(a) + _mm256_extractf128_ps(a, 1);
  y = y + _mm_movehl_ps(y, y);
  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}
inline float max_lane(F x) {
  const __m256 a = _mm512_castps512_ps256(_mm512_max_ps(x, upper_half(x)));
  __m128 y = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  y = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}
// x[i][j] becomes x[j][i].
inline void transpose(F (&x)[kLanes]) {
  F y[kLanes];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {  // four by four inside each quarter
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(x[i], x[i + 1]));
    const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(x[i], x[i + 1]));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(x[i + 2], x[i + 3]));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(x[i + 2], x[i + 3]));
    y[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    y[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    y[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    y[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {  // then the quarters
    const F a = _mm512_shuffle_f32x4(y[i], y[i + 4], 0x44);
    const F b = _mm512_shuffle_f32x4(y[i], y[i + 4], 0xEE);
    const F c = _mm512_shuffle_f32x4(y[i + 8], y[i + 12], 0x44);
    const F d = _mm512_shuffle_f32x4(y[i + 8], y[i + 12], 0xEE);
    x[i] = _mm512_shuffle_f32x4(a, c, 0x88);
    x[i + 4] = _mm512_shuffle_f32x4(a, c, 0xDD);
    x[i + 8] = _mm512_shuffle_f32x4(b, d, 0x88);
    x[i + 12] = _mm512_shuffle_f32x4(b, d, 0xDD);
  }
}
inline F load_half(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline F load_bf16(const std::uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline void store_half(std::uint16_t* p, F x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline void store_bf16(std::uint16_t* p, F x) {
  // In integers: vcvtneps2bf16 would flush denormals. NaN stays a quiet NaN.
  const I bits = _mm512_castps_si512(x);
  const I odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const I rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  const I quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  const I result = _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), rounded, quiet);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_srli_epi32(result, 16)));
}
inline F load_u8(const std::uint8_t* p) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline F load_i8(const std::int8_t* p) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
// Four E4M3 codes of each lane side by side, as floats 2^120 times smaller. Moving a code right to
// where exponent and mantissa belong spreads its sign over the rest of the exponent, which the mask
// clears. Exponents of 0 are denormal there, too, with the same meaning.
inline void load_e4m3(const std::uint8_t* p, F (&w)[4]) {
  const I codes = _mm512_loadu_si512(p);
  const I mask = _mm512_set1_epi32(static_cast<int>(0x87F00000));
  const I even = _mm512_srai_epi16(_mm512_slli_epi16(codes, 8), 4);
  const I odd = _mm512_srai_epi16(codes, 4);
  w[0] = _mm512_castsi512_ps(_mm512_and_si512(_mm512_slli_epi32(even, 16), mask));
  w[1] = _mm512_castsi512_ps(_mm512_and_si512(_mm512_slli_epi32(odd, 16), mask));
  w[2] = _mm512_castsi512_ps(_mm512_and_si512(even, mask));
  w[3] = _mm512_castsi512_ps(_mm512_and_si512(odd, mask));
}
inline F load_e4m3(const std::uint8_t* p) {  // likewise one code of each lane
  const __m256i codes =
      _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m256i mask = _mm256_set1_epi16(static_cast<short>(0xBF80));
  return _mm512_cvtph_ps(_mm256_and_si256(_mm256_slli_epi16(codes, 7), mask));
}
inline F load_low_nibbles(const std::uint8_t* p) {
  const I bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return _mm512_cvtepi32_ps(_mm512_and_si512(bytes, _mm512_set1_epi32(15)));
}
inline F load_high_nibbles(const std::uint8_t* p) {
  const I bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return _mm512_cvtepi32_ps(_mm512_srli_epi32(bytes, 4));
}

inline I splat_int(std::int32_t x) { return _mm512_set1_epi32(x); }
inline I add(I a, I b) { return _mm512_add_epi32(a, b); }
inline I subtract(I a, I b) { return _mm512_sub_epi32(a, b); }
template <int kShift>
inline I shift_left(I a) {
  return _mm512_slli_epi32(a, kShift);
}
template <int kShift>
inline I shift_right(I a) {
  return _mm512_srli_epi32(a, kShift);
}
template <int kShift>
inline I shift_right_signed(I a) {
  return _mm512_srai_epi32(a, kShift);
}
inline F to_float(I x) { return _mm512_cvtepi32_ps(x); }
inline I round_to_int(F x) { return _mm512_cvtps_epi32(x); }
inline F as_float(I x) { return _mm512_castsi512_ps(x); }
inline I abs_bits(F x) {
  return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7FFFFFFF));
}
inline I max_int(I a, I b) { return _mm512_max_epi32(a, b); }
inline int max_lane(I x) { return _mm512_reduce_max_epi32(x); }
inline int sum_lanes(I x) { return _mm512_reduce_add_epi32(x); }
inline void store_codes(std::int8_t* p, I x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(x));
}

constexpr bool kSignedWideCodes = false;
inline B load_codes(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
inline B low_nibbles(B x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
inline B high_nibbles(B x) {
  return _mm512_and_si512(_mm512_srli_epi16(x, 4), _mm512_set1_epi8(15));
}
template <int kRight, int kMask>
inline B shift_bits(B x) {  // of each byte, right or (below zero) left, those of kMask
  if constexpr (kRight >= 0) {
    x = _mm512_srli_epi16(x, kRight);
  } else {
    x = _mm512_slli_epi16(x, -kRight);
  }
  return _mm512_and_si512(x, _mm512_set1_epi8(kMask));
}
inline B load_table(const std::uint8_t* p) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline B look_up(B table, B nibbles) { return _mm512_shuffle_epi8(table, nibbles); }
using X4 = __m512i;
inline X4 splat_codes(const std::int8_t* p) {
  std::int32_t four;
  std::memcpy(&four, p, sizeof four);
  return _mm512_set1_epi32(four);
}
inline I dot(I sum, B w, X4 x) { return _mm512_dpbusd_epi32(sum, w, x); }
inline I dot_wide(I sum, B w, X4 x) { return _mm512_dpbusd_epi32(sum, w, x); }
// Signed bytes times bytes from 0 to 127.
inline I dot_signed(I sum, B v, X4 x) { return _mm512_dpbusd_epi32(sum, x, v); }
