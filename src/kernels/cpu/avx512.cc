// The AVX-512 table (F, BW, DQ, VL with VNNI and BF16): sixteen lanes. vdpbf16ps multiplies pairs
// of bf16 with roundings of its own, which no other table has.
// Everything after the pragma is compiled for this instruction set, so nothing is included there
// but our own generics: an inline function of a common header must never be compiled wide.

#if defined(__x86_64__)
// GCC 12 finds its own intrinsics' "undefined" operands uninitialized.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/kernel_table.h"
#include "kernels/select.h"
#include "tensor/float_bits.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")

namespace quire {
namespace {

#include "kernels/cpu/sixteen_lanes.inl"

inline F dot_bf16(F sum, const std::uint16_t* w, const std::uint16_t* x) {
  std::int32_t pair;
  std::memcpy(&pair, x, sizeof pair);
  return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_loadu_si512(w), (__m512bh)_mm512_set1_epi32(pair));
}

#include "kernels/generic/all.inl"

}  // namespace

const KernelTable kAvx512Kernels = make_table("avx512", Bf16Products::kPairs);

}  // namespace quire

#pragma GCC pop_options
#endif
