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

constexpr int kLanes = 4, kAccumulators = 8;

double run_f32(std::uint64_t rounds) {
  float x[kAccumulators][kLanes];
  for (auto& row : x) std::memset(row, 0, sizeof row);
  const volatile float source = 0.999f;
  const float a = source, b = 1 - source;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    for (auto& row : x) {
      for (float& value : row) value = value * a + b;
    }
  }
  float total = 0;
  for (const auto& row : x) total += row[0] + row[1] + row[2] + row[3];
  return total;
}

double run_int8(std::uint64_t rounds) {
  std::uint32_t x[kAccumulators][kLanes];
  for (auto& row : x) std::memset(row, 1, sizeof row);
  const volatile std::uint32_t source = 3;
  const std::uint32_t a = source;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    for (auto& row : x) {
      for (std::uint32_t& value : row) value = value * a + 1;
    }
  }
  std::uint32_t total = 0;
  for (const auto& row : x) total += row[0] + row[1] + row[2] + row[3];
  return total;
}

}  // namespace

constexpr RooflineLoops kScalarTable = {
    "scalar",
    {{1, false, read<1, false>}, {1, true, read<1, true>},
     {2, false, read<2, false>}, {2, true, read<2, true>},
     {4, false, read<4, false>}, {4, true, read<4, true>},
     {8, false, read<8, false>}, {8, true, read<8, true>}},
    {run_int8, 2.0 * kLanes * kAccumulators},
    {},
    {run_f32, 2.0 * kLanes * kAccumulators},
};
const RooflineLoops kScalarLoops = kScalarTable;

}  // namespace quire
