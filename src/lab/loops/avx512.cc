// Roofline loops for AVX-512, with VNNI and BF16 in regions of their own. The target regions open
// after all includes, so that no inline function of a header is compiled for them. The compute
// loops are assembly: a compiler keeps an array of accumulators in registers in one build and not
// in the next, and a ceiling must not depend on that.
#include "lab/loops/loops.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Sixteen chains of one instruction: zmm0..15 accumulate zmm16 * zmm16. Zeros: they take as long as
// any other finite number, and no sum can overflow.
#define QUIRE_CHAIN(op, n) op " %%zmm16, %%zmm16, %%zmm" #n "\n\t"
#define QUIRE_RUN_CHAINS(rounds, op)                                                             \
  do {                                                                                           \
    asm volatile("vzeroall\n\tvpxorq %%zmm16, %%zmm16, %%zmm16" ::: QUIRE_CLOBBERED);            \
    for (std::uint64_t i = 0; i < (rounds); ++i) {                                               \
      asm volatile(                                                                              \
          QUIRE_CHAIN(op, 0) QUIRE_CHAIN(op, 1) QUIRE_CHAIN(op, 2) QUIRE_CHAIN(op, 3)            \
          QUIRE_CHAIN(op, 4) QUIRE_CHAIN(op, 5) QUIRE_CHAIN(op, 6) QUIRE_CHAIN(op, 7)            \
          QUIRE_CHAIN(op, 8) QUIRE_CHAIN(op, 9) QUIRE_CHAIN(op, 10) QUIRE_CHAIN(op, 11)          \
          QUIRE_CHAIN(op, 12) QUIRE_CHAIN(op, 13) QUIRE_CHAIN(op, 14) QUIRE_CHAIN(op, 15)        \
          ::: QUIRE_CLOBBERED);                                                                  \
    }                                                                                            \
  } while (false)
#define QUIRE_CLOBBERED                                                                          \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
      "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16"

namespace quire {
namespace {
constexpr std::size_t kPrefetchDistance = 2048;
constexpr double kAccumulators = 16;  // hides the latency of five cycles on two ports

// Sums the lanes of what a loop left; apart from the loops, so plain code is good enough.
template <typename Lane, typename Vector>
Lane sum_lanes(const Vector& x) {
  Lane lanes[sizeof(Vector) / sizeof(Lane)];
  __builtin_memcpy(lanes, &x, sizeof lanes);
  Lane total = 0;
  for (const Lane lane : lanes) total += lane;
  return total;
}
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
  return sum_lanes<std::uint64_t>(_mm512_xor_si512(even, odd));
}

void run_f32(std::uint64_t rounds) {
  QUIRE_RUN_CHAINS(rounds, "vfmadd231ps");
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
    {run_f32, 32 * kAccumulators},
};

}  // namespace quire

#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512vnni")

namespace quire {
namespace {

void run_int8(std::uint64_t rounds) {
  QUIRE_RUN_CHAINS(rounds, "vpdpbusd");
}

}  // namespace

const ComputeLoop kAvx512VnniInt8Loop = {run_int8, 128 * kAccumulators};

}  // namespace quire

#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bf16")

namespace quire {
namespace {

void run_bf16(std::uint64_t rounds) {
  QUIRE_RUN_CHAINS(rounds, "vdpbf16ps");
}

}  // namespace

const ComputeLoop kAvx512Bf16Loop = {run_bf16, 64 * kAccumulators};

}  // namespace quire

#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("amx-tile,amx-int8")

namespace quire {
namespace {

// Eight registers of 16 rows of 64 bytes, as ldtilecfg reads them; zeros after it.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileShapes kWhole;

// Four sums of what two registers hold with what two others do.
void run_int8_tiles(std::uint64_t rounds) {
  asm volatile("ldtilecfg %0" : : "m"(kWhole));
  for (std::uint64_t i = 0; i < rounds; ++i) {
    asm volatile(
        "tdpbssd %tmm6, %tmm4, %tmm0\n\t"
        "tdpbssd %tmm7, %tmm4, %tmm1\n\t"
        "tdpbssd %tmm6, %tmm5, %tmm2\n\t"
        "tdpbssd %tmm7, %tmm5, %tmm3");
  }
  asm volatile("tilerelease");
}

}  // namespace

const ComputeLoop kAmxInt8Loop = {run_int8_tiles, 4 * 2 * 16 * 16 * 64};

}  // namespace quire

#pragma GCC pop_options
#endif
