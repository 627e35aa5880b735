// Roofline loops for AVX2 with FMA. The target region opens after all includes, so that no inline
// function of a header is compiled for it.
#include "lab/loops/loops.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2,fma")

namespace quire {
namespace {

constexpr std::size_t kPrefetchDistance = 2048;
constexpr int kAccumulators = 12;  // hides the latency of five cycles on two ports

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

double run_int8(std::uint64_t rounds) {
  const volatile char source = 1;
  const __m256i a = _mm256_set1_epi8(source), ones = _mm256_set1_epi16(source);
  __m256i x[kAccumulators];
  for (auto& value : x) value = _mm256_setzero_si256();
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kAccumulators; ++j) {
      // The accumulator feeds the product: otherwise the compiler would lift it out of the loop.
      const __m256i pairs = _mm256_maddubs_epi16(a, _mm256_xor_si256(a, x[j]));
      x[j] = _mm256_add_epi32(x[j], _mm256_madd_epi16(pairs, ones));
    }
  }
  std::uint64_t total = 0;
  for (const auto& value : x) total += sum_lanes(value);
  return static_cast<double>(total);
}

double run_f32(std::uint64_t rounds) {
  const volatile float source = 0.999f;
  const __m256 a = _mm256_set1_ps(source), b = _mm256_set1_ps(1 - source);
  __m256 x[kAccumulators];
  for (auto& value : x) value = _mm256_setzero_ps();
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kAccumulators; ++j) x[j] = _mm256_fmadd_ps(x[j], a, b);
  }
  __m256 total = x[0];
  for (int j = 1; j < kAccumulators; ++j) total = _mm256_add_ps(total, x[j]);
  return _mm256_cvtss_f32(total);
}

}  // namespace

const RooflineLoops kAvx2Loops = {
    "avx2",
    {{1, false, read<1, false>}, {1, true, read<1, true>},
     {2, false, read<2, false>}, {2, true, read<2, true>},
     {4, false, read<4, false>}, {4, true, read<4, true>},
     {8, false, read<8, false>}, {8, true, read<8, true>}},
    {run_int8, 64.0 * kAccumulators},
    {},
    {run_f32, 16.0 * kAccumulators},
};

}  // namespace quire

#pragma GCC pop_options
#endif
