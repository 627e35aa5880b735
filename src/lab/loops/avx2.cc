// Roofline loops for AVX2 with FMA. The target region opens after all includes, so that no inline
// function of a header is compiled for it. The compute loops are assembly: a compiler keeps an
// array of accumulators in registers in one build and not in the next.
#include "lab/loops/loops.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define QUIRE_INT8(sum, product)                                           \
  "vpmaddubsw %%ymm15, %%ymm15, %%ymm" #product "\n\t"                     \
  "vpmaddwd %%ymm15, %%ymm" #product ", %%ymm" #product "\n\t"             \
  "vpaddd %%ymm" #product ", %%ymm" #sum ", %%ymm" #sum "\n\t"
#define QUIRE_VNNI(sum) "%{vex%} vpdpbusd %%ymm15, %%ymm15, %%ymm" #sum "\n\t"
#define QUIRE_F32(sum) "vfmadd231ps %%ymm15, %%ymm15, %%ymm" #sum "\n\t"
#define QUIRE_CLOBBERED                                                                    \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
      "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

#pragma GCC push_options
#pragma GCC target("avx2,fma")

namespace quire {
namespace {

constexpr std::size_t kPrefetchDistance = 2048;
constexpr double kAccumulators = 12;  // hides the latency of five cycles on two ports

std::uint64_t sum_lanes(__m256i x) {
  alignas(32) std::uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), x);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

template <int kStreams, bool kPrefetch>
std::uint64_t read(const std::byte* data, std::size_t bytes) {
  const std::size_t run = bytes / kStreams;
  __m256i even = _mm256_setzero_si256(), odd = even;
  for (std::size_t at = 0; at < run; at += 64) {
#pragma GCC unroll 8
    for (int s = 0; s < kStreams; ++s) {
      const std::byte* p = data + run * s + at;
      if constexpr (kPrefetch) _mm_prefetch(p + kPrefetchDistance, _MM_HINT_T0);
      even = _mm256_xor_si256(even, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
      odd = _mm256_xor_si256(odd, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32)));
    }
  }
  return sum_lanes(_mm256_xor_si256(even, odd));
}

void run_int8(std::uint64_t rounds) {
  // A product of bytes takes three instructions here; registers 12..14 hold the products.
  for (std::uint64_t i = 0; i < rounds; ++i) {
    asm volatile(
        QUIRE_INT8(0, 12) QUIRE_INT8(1, 13) QUIRE_INT8(2, 14) QUIRE_INT8(3, 12)
        QUIRE_INT8(4, 13) QUIRE_INT8(5, 14) QUIRE_INT8(6, 12) QUIRE_INT8(7, 13)
        QUIRE_INT8(8, 14) QUIRE_INT8(9, 12) QUIRE_INT8(10, 13) QUIRE_INT8(11, 14)
        ::: QUIRE_CLOBBERED);
  }
}

void run_vnni(std::uint64_t rounds) {
  for (std::uint64_t i = 0; i < rounds; ++i) {
    asm volatile(
        QUIRE_VNNI(0) QUIRE_VNNI(1) QUIRE_VNNI(2) QUIRE_VNNI(3) QUIRE_VNNI(4) QUIRE_VNNI(5)
        QUIRE_VNNI(6) QUIRE_VNNI(7) QUIRE_VNNI(8) QUIRE_VNNI(9) QUIRE_VNNI(10) QUIRE_VNNI(11)
        ::: QUIRE_CLOBBERED);
  }
}

void run_f32(std::uint64_t rounds) {
  asm volatile("vzeroall" ::: QUIRE_CLOBBERED);
  for (std::uint64_t i = 0; i < rounds; ++i) {
    asm volatile(
        QUIRE_F32(0) QUIRE_F32(1) QUIRE_F32(2) QUIRE_F32(3) QUIRE_F32(4) QUIRE_F32(5)
        QUIRE_F32(6) QUIRE_F32(7) QUIRE_F32(8) QUIRE_F32(9) QUIRE_F32(10) QUIRE_F32(11)
        ::: QUIRE_CLOBBERED);
  }
}

}  // namespace

const RooflineLoops kAvx2Loops = {
    "avx2",
    {{1, false, read<1, false>}, {1, true, read<1, true>},
     {2, false, read<2, false>}, {2, true, read<2, true>},
     {4, false, read<4, false>}, {4, true, read<4, true>},
     {8, false, read<8, false>}, {8, true, read<8, true>}},
    {run_int8, 64 * kAccumulators},
    {},
    {run_f32, 16 * kAccumulators},
};
const ComputeLoop kAvxVnniInt8Loop = {run_vnni, 64 * kAccumulators};

}  // namespace quire

#pragma GCC pop_options
#endif
