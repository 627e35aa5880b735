// Roofline loops in plain C++: what the compiler makes of them for the baseline of the architecture
// is what the scalar kernels can reach as well.
#include <cstring>

#include "lab/loops/loops.h"

namespace quire {
namespace {

constexpr std::size_t kPrefetchDistance = 1024;

template <int kStreams, bool kPrefetch>
std::uint64_t read(const std::byte* data, std::size_t bytes) {
  const std::size_t run = bytes / kStreams;
  std::uint64_t sums[kStreams][4] = {};
  for (std::size_t at = 0; at < run; at += 64) {
    for (int s = 0; s < kStreams; ++s) {
      const std::byte* p = data + run * s + at;
      if constexpr (kPrefetch) __builtin_prefetch(p + kPrefetchDistance);
      std::uint64_t words[8];
      std::memcpy(words, p, sizeof words);
      for (int i = 0; i < 8; ++i) sums[s][i & 3] += words[i];
    }
  }
  std::uint64_t total = 0;
  for (const auto& stream : sums) total += stream[0] + stream[1] + stream[2] + stream[3];
  return total;
}

// Eight chains, in the vectors that every processor of the architecture has. Bytes are multiplied
// as 16-bit numbers there.
using Floats = float __attribute__((vector_size(16)));
using Shorts = std::uint16_t __attribute__((vector_size(16)));

template <typename Vector>
void run(std::uint64_t rounds) {
  Vector a = {}, b = {}, c = {}, d = {}, e = {}, f = {}, g = {}, h = {};
  Vector factor = a + 1;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    a = a * factor + factor, b = b * factor + factor, c = c * factor + factor;
    d = d * factor + factor, e = e * factor + factor, f = f * factor + factor;
    g = g * factor + factor, h = h * factor + factor;
#if defined(__x86_64__)
    // The chains are equal, but the compiler must not know it.
    asm volatile("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d), "+x"(e), "+x"(f), "+x"(g), "+x"(h),
                 "+x"(factor));
#else
    asm volatile("" : "+w"(a), "+w"(b), "+w"(c), "+w"(d), "+w"(e), "+w"(f), "+w"(g), "+w"(h),
                 "+w"(factor));
#endif
  }
}
constexpr double kChains = 8;

}  // namespace

const RooflineLoops kScalarLoops = {
    "scalar",
    {{1, false, read<1, false>}, {1, true, read<1, true>},
     {2, false, read<2, false>}, {2, true, read<2, true>},
     {4, false, read<4, false>}, {4, true, read<4, true>},
     {8, false, read<8, false>}, {8, true, read<8, true>}},
    {run<Shorts>, 2 * 8 * kChains},
    {},
    {run<Floats>, 2 * 4 * kChains},
};

}  // namespace quire
