// The AVX2 table (with FMA and F16C): eight lanes. vpmaddubsw adds two products of an unsigned and
// a signed byte in 16 bits with saturation, so it is exact for codes up to 127; Q8_0's wider codes
// are taken as signed bytes and multiplied as |w| times x with w's sign.
// Everything after the pragma is compiled for this instruction set (see avx512.cc).
#if defined(__x86_64__)
#include <immintrin.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/kernel_table.h"
#include "kernels/select.h"
#include "tensor/float_bits.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

namespace quire {
namespace {

#include "kernels/cpu/eight_lanes.inl"

constexpr bool kSignedWideCodes = true;
inline I dot(I sum, B w, X4 x) {
  const I pairs = _mm256_maddubs_epi16(w, x);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
inline I dot_wide(I sum, B w, X4 x) {  // code - 128 as a signed byte; |-128| is 128 unsigned
  const B w_signed = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
  return dot(sum, _mm256_abs_epi8(w_signed), _mm256_sign_epi8(x, w_signed));
}
inline I dot_signed(I sum, B v, X4 x) { return dot(sum, x, v); }  // x: bytes from 0 to 127

#include "kernels/generic/all.inl"

}  // namespace

const KernelTable kAvx2Kernels = make_table("avx2");

}  // namespace quire

#pragma GCC pop_options
#endif
