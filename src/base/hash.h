// A 64-bit hash for fingerprints of plans and logits (FNV-1a over 8-byte words with a final mix).
// Stable across builds and machines of one endianness; not for untrusted keys of hash tables. Pure
// functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace quire {

constexpr std::uint64_t mix64(std::uint64_t x) {  // SplitMix64's finaliser
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9ull;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBull;
  return x ^ x >> 31;
}

inline std::uint64_t hash_bytes(const void* data, std::size_t size, std::uint64_t seed = 0) {
  std::uint64_t hash = 0xCBF29CE484222325ull ^ mix64(seed ^ size);
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (; size >= 8; size -= 8, bytes += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes, 8);
    hash = (hash ^ word) * 0x100000001B3ull;
    hash ^= hash >> 29;
  }
  for (; size > 0; --size, ++bytes) hash = (hash ^ *bytes) * 0x100000001B3ull;
  return mix64(hash);
}

}  // namespace quire
