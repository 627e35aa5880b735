// Roofline loops for AVX-512, with VNNI and BF16 in regions of their own. The target regions open
// after all includes, so that no inline function of a header is compiled for them.
#include "lab/loops/loops.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace quire {
namespace {
constexpr std::size_t kPrefetchDistance = 2048;
constexpr int kAccumulators = 16;  // hides the latency of five cycles on two ports
}  // namespace
}  // namespace quire

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")

namespace quire {
namespace {

template <int kStreams, bool kPrefetch>
std::uint64_t read(const std::byte* data, std::size_t bytes) {
  const std::size_t run = bytes / kStreams;
  __m512i even = _mm512_setzero_si512(), odd = even;
  for (std::size_t at = 0; at < run; at += 128) {
#pragma GCC unroll 8
    for (int s = 0; s < kStreams; ++s) {
      const std::byte* p = data + run * s + at;
      if constexpr (kPrefetch) {
        _mm_prefetch(p + kPrefetchDistance, _MM_HINT_T0);
        _mm_prefetch(p + kPrefetchDistance + 64, _MM_HINT_T0);
      }
      even = _mm512_xor_si512(even, _mm512_loadu_si512(p));
      odd = _mm512_xor_si512(odd, _mm512_loadu_si512(p + 64));
    }
  }
  return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(_mm512_xor_si512(even, odd)));
}

double run_f32(std::uint64_t rounds) {
  const volatile float source = 0.999f;
  const __m512 a = _mm512_set1_ps(source), b = _mm512_set1_ps(1 - source);
  __m512 x[kAccumulators];
  for (auto& value : x) value = _mm512_setzero_ps();
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < kAccumulators; ++j) x[j] = _mm512_fmadd_ps(x[j], a, b);
  }
  __m512 total = x[0];
  for (int j = 1; j < kAccumulators; ++j) total = _mm512_add_ps(total, x[j]);
  return _mm512_reduce_add_ps(total);
}

}  // namespace

const RooflineLoops kAvx512Loops = {
    "avx512",
    {{1, false, read<1, false>}, {1, true, read<1, true>},
     {2, false, read<2, false>}, {2, true, read<2, true>},
     {4, false, read<4, false>}, {4, true, read<4, true>},
     {8, false, read<8, false>}, {8, true, read<8, true>}},
    {},
    {},
    {run_f32, 32.0 * kAccumulators},
};

}  // namespace quire

#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

namespace quire {
namespace {

double run_int8(std::uint64_t rounds) {
  const volatile char source = 1;
  const __m512i a = _mm512_set1_epi8(source);
  __m512i x[kAccumulators];
  for (auto& value : x) value = _mm512_setzero_si512();
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < kAccumulators; ++j) x[j] = _mm512_dpbusd_epi32(x[j], a, a);
  }
  __m512i total = x[0];
  for (int j = 1; j < kAccumulators; ++j) total = _mm512_add_epi32(total, x[j]);
  return _mm512_reduce_add_epi32(total);
}

}  // namespace

const ComputeLoop kAvx512VnniInt8Loop = {run_int8, 128.0 * kAccumulators};

}  // namespace quire

#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace quire {
namespace {

double run_bf16(std::uint64_t rounds) {
  const volatile short one = 0x3F80;
  const __m512bh a = (__m512bh)_mm512_set1_epi16(one);
  __m512 x[kAccumulators];
  for (auto& value : x) value = _mm512_setzero_ps();
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < kAccumulators; ++j) x[j] = _mm512_dpbf16_ps(x[j], a, a);
  }
  __m512 total = x[0];
  for (int j = 1; j < kAccumulators; ++j) total = _mm512_add_ps(total, x[j]);
  return _mm512_reduce_add_ps(total);
}

}  // namespace

const ComputeLoop kAvx512Bf16Loop = {run_bf16, 64.0 * kAccumulators};

}  // namespace quire

#pragma GCC pop_options
#endif
