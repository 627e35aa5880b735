// The AVX-VNNI table: AVX2 with vpdpbusd on eight lanes, for processors without AVX-512. The
// instruction multiplies unsigned weight codes with signed activation codes exactly.
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
#pragma GCC target("avx2,fma,f16c,avxvnni")

namespace quire {
namespace {

#include "kernels/cpu/eight_lanes.inl"

constexpr bool kSignedWideCodes = false;
inline I dot(I sum, B w, X4 x) { return _mm256_dpbusd_avx_epi32(sum, w, x); }
inline I dot_wide(I sum, B w, X4 x) { return dot(sum, w, x); }
inline I dot_signed(I sum, B v, X4 x) { return dot(sum, x, v); }  // x: bytes from 0 to 127

#include "kernels/generic/all.inl"

}  // namespace

const KernelTable kAvxVnniKernels = make_table("avx_vnni");

}  // namespace quire

#pragma GCC pop_options
#endif
