// The AVX-512 table without BF16 (Cascade Lake, Ice Lake): sixteen lanes with VNNI. bf16 weights
// are widened exactly and multiplied by float32 fma, so that it answers with the bits of AVX2.
// Everything after the pragma is compiled for this instruction set (see avx512.cc).

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
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

namespace quire {
namespace {

#include "kernels/cpu/sixteen_lanes.inl"

inline F dot_bf16(F sum, const std::uint16_t* w, const std::uint16_t* x) {
  std::int32_t pair;
  std::memcpy(&pair, x, sizeof pair);
  const I ws = _mm512_loadu_si512(w), xs = _mm512_set1_epi32(pair);
  const auto early = [&](I x) { return _mm512_slli_epi32(x, 16); };
  const auto late = [&](I x) { return _mm512_and_si512(x, _mm512_set1_epi32(-65536)); };
  sum = fma(as_float(early(ws)), as_float(early(xs)), sum);
  return fma(as_float(late(ws)), as_float(late(xs)), sum);
}

#include "kernels/generic/all.inl"

}  // namespace

const KernelTable kAvx512VnniKernels = make_table("avx512_vnni");

}  // namespace quire

#pragma GCC pop_options
#endif
