// Vectors of eight lanes: what avx2.cc and avx_vnni.cc share. They differ in how bytes are
// multiplied. bf16 weights are widened exactly and multiplied by float32 fma.
// Included once per instruction set, inside its target region.

constexpr int kLanes = 8;
constexpr int kPassTiles = 1;     // weight tiles that share an activation
constexpr int kInt8Columns = 4;   // tokens per pass over integer weights
constexpr int kPartColumns = 4;   // and over those with two scales a group
constexpr int kFloatColumns = 4;  // tokens per pass over float weights
constexpr int kStreamTokens = 2;  // up to here weights are not fetched ahead
constexpr int kNearTokens = 0;    // up to here from near
constexpr int kAccumulatorsMax = 12;  // vectors of a block of attention
using F = __m256;
using I = __m256i;
using B = __m256i;

inline void fetch_line(const char* at) { __builtin_prefetch(at, 0, 2); }  // into L2
inline void fetch_soon(const void* at) { __builtin_prefetch(at, 0, 3); }  // into L1
inline F splat(float x) { return _mm256_set1_ps(x); }
inline F load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, F x) { _mm256_storeu_ps(p, x); }
inline __m256i first_lanes(int count) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes);
}
inline F load_partial(const float* p, int count) {
  return _mm256_maskload_ps(p, first_lanes(count));
}
inline void store_partial(float* p, F x, int count) {
  _mm256_maskstore_ps(p, first_lanes(count), x);
}
inline F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
inline F max(F a, F b) { return _mm256_max_ps(a, b); }  // b where either is NaN
inline F min(F a, F b) { return _mm256_min_ps(a, b); }
inline F select_less(F a, F b, F yes, F no) {
  return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
inline F square_root(F x) { return _mm256_sqrt_ps(x); }
inline int bits_above(F a, F b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
// Sums and maxima fold the upper half onto the lower one, in every table.
inline float sum_lanes(F x) {
  __m128 y = _mm256_castps256_ps128(x) + _mm256_extractf128_ps(x, 1);
  y = y + _mm_movehl_ps(y, y);
  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}
inline float max_lane(F x) {
  __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}
// x[i][j] becomes x[j][i].
inline void transpose(F (&x)[kLanes]) {
  F y[kLanes];
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {  // four by four inside each half
    const F a = _mm256_unpacklo_ps(x[i], x[i + 1]), b = _mm256_unpackhi_ps(x[i], x[i + 1]);
    const F c = _mm256_unpacklo_ps(x[i + 2], x[i + 3]), d = _mm256_unpackhi_ps(x[i + 2], x[i + 3]);
    y[i] = _mm256_shuffle_ps(a, c, 0x44);
    y[i + 1] = _mm256_shuffle_ps(a, c, 0xEE);
    y[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    y[i + 3] = _mm256_shuffle_ps(b, d, 0xEE);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {  // then the halves
    x[i] = _mm256_permute2f128_ps(y[i], y[i + 4], 0x20);
    x[i + 4] = _mm256_permute2f128_ps(y[i], y[i + 4], 0x31);
  }
}
inline __m128i load_shorts(const std::uint16_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline F load_half(const std::uint16_t* p) { return _mm256_cvtph_ps(load_shorts(p)); }
inline F load_bf16(const std::uint16_t* p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_shorts(p)), 16));
}
inline void store_half(std::uint16_t* p, F x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline void store_bf16(std::uint16_t* p, F x) {
  const I bits = _mm256_castps_si256(x);
  const I odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const I rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
  const I quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const I is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  const I result = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
  const I packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(result, result), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
}
inline __m128i load_eight(const void* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}
inline F load_u8(const std::uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(load_eight(p)));
}
inline F load_i8(const std::int8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load_eight(p)));
}
// Four E4M3 codes of each lane side by side, as in sixteen_lanes.inl.
inline void load_e4m3(const std::uint8_t* p, F (&w)[4]) {
  const I codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const I mask = _mm256_set1_epi32(static_cast<int>(0x87F00000));
  const I even = _mm256_srai_epi16(_mm256_slli_epi16(codes, 8), 4);
  const I odd = _mm256_srai_epi16(codes, 4);
  w[0] = _mm256_castsi256_ps(_mm256_and_si256(_mm256_slli_epi32(even, 16), mask));
  w[1] = _mm256_castsi256_ps(_mm256_and_si256(_mm256_slli_epi32(odd, 16), mask));
  w[2] = _mm256_castsi256_ps(_mm256_and_si256(even, mask));
  w[3] = _mm256_castsi256_ps(_mm256_and_si256(odd, mask));
}
inline F load_e4m3(const std::uint8_t* p) {  // likewise one code of each lane
  const __m128i codes = _mm_cvtepi8_epi16(load_eight(p));
  const __m128i mask = _mm_set1_epi16(static_cast<short>(0xBF80));
  return _mm256_cvtph_ps(_mm_and_si128(_mm_slli_epi16(codes, 7), mask));
}
inline F load_low_nibbles(const std::uint8_t* p) {
  const I bytes = _mm256_cvtepu8_epi32(load_eight(p));
  return _mm256_cvtepi32_ps(_mm256_and_si256(bytes, _mm256_set1_epi32(15)));
}
inline F load_high_nibbles(const std::uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_srli_epi32(_mm256_cvtepu8_epi32(load_eight(p)), 4));
}

inline I splat_int(std::int32_t x) { return _mm256_set1_epi32(x); }
inline I add(I a, I b) { return _mm256_add_epi32(a, b); }
inline I subtract(I a, I b) { return _mm256_sub_epi32(a, b); }
template <int kShift>
inline I shift_left(I a) {
  return _mm256_slli_epi32(a, kShift);
}
template <int kShift>
inline I shift_right(I a) {
  return _mm256_srli_epi32(a, kShift);
}
template <int kShift>
inline I shift_right_signed(I a) {
  return _mm256_srai_epi32(a, kShift);
}
inline F to_float(I x) { return _mm256_cvtepi32_ps(x); }
inline I round_to_int(F x) { return _mm256_cvtps_epi32(x); }
inline F as_float(I x) { return _mm256_castsi256_ps(x); }
inline I abs_bits(F x) {
  return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7FFFFFFF));
}
inline I max_int(I a, I b) { return _mm256_max_epi32(a, b); }
inline int max_lane(I x) {
  __m128i y = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  y = _mm_max_epi32(y, _mm_shuffle_epi32(y, 0x4E));
  return _mm_cvtsi128_si32(_mm_max_epi32(y, _mm_shuffle_epi32(y, 0xB1)));
}
inline int sum_lanes(I x) {
  __m128i y = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  y = _mm_add_epi32(y, _mm_shuffle_epi32(y, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(y, _mm_shuffle_epi32(y, 0xB1)));
}
inline void store_codes(std::int8_t* p, I x) {
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}

inline B load_codes(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline B low_nibbles(B x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
inline B high_nibbles(B x) {
  return _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(15));
}
template <int kRight, int kMask>
inline B shift_bits(B x) {  // of each byte, right or (below zero) left, those of kMask
  if constexpr (kRight >= 0) {
    x = _mm256_srli_epi16(x, kRight);
  } else {
    x = _mm256_slli_epi16(x, -kRight);
  }
  return _mm256_and_si256(x, _mm256_set1_epi8(kMask));
}
inline B load_table(const std::uint8_t* p) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline B look_up(B table, B nibbles) { return _mm256_shuffle_epi8(table, nibbles); }
using X4 = __m256i;
inline X4 splat_codes(const std::int8_t* p) {
  std::int32_t four;
  std::memcpy(&four, p, sizeof four);
  return _mm256_set1_epi32(four);
}
inline F dot_bf16(F sum, const std::uint16_t* w, const std::uint16_t* x) {
  std::int32_t pair;
  std::memcpy(&pair, x, sizeof pair);
  const __m256i ws = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
  const F early = _mm256_castsi256_ps(_mm256_slli_epi32(ws, 16));
  const F late = _mm256_castsi256_ps(_mm256_and_si256(ws, _mm256_set1_epi32(-65536)));
  float x_early, x_late;
  const std::int32_t low = static_cast<std::int32_t>(static_cast<std::uint32_t>(pair) << 16);
  const std::int32_t high = pair & -65536;
  std::memcpy(&x_early, &low, sizeof low);
  std::memcpy(&x_late, &high, sizeof high);
  sum = fma(early, splat(x_early), sum);
  return fma(late, splat(x_late), sum);
}
