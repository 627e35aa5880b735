// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): random
// numbers as a pure function of (seed, position, stream), without state. A token's noise depends
// on nothing but its request's seed, its position and its branch, so a text never depends on who
// shared the batch. Any thread.
#pragma once

#include <array>
#include <cstdint>

namespace quire {

constexpr std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t position,
                                              std::uint64_t stream) {
  std::array<std::uint32_t, 4> x = {
      static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32),
      static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  std::uint32_t key0 = static_cast<std::uint32_t>(seed);
  std::uint32_t key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * x[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * x[2];
    x = {static_cast<std::uint32_t>(product1 >> 32) ^ x[1] ^ key0,
         static_cast<std::uint32_t>(product1),
         static_cast<std::uint32_t>(product0 >> 32) ^ x[3] ^ key1,
         static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return x;
}

// Uniform in (0, 1), never 0 or 1, 53 bits.
constexpr double philox_uniform(std::uint64_t seed, std::uint64_t position, std::uint64_t stream) {
  const auto x = philox(seed, position, stream);
  const std::uint64_t bits = (std::uint64_t{x[0]} << 32 | x[1]) >> 11;
  return (static_cast<double>(bits) + 0.5) * 0x1p-53;
}

}  // namespace quire
