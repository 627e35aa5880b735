// Dice: reproducible random choices for tests of the thinking wing. The same seed gives the same
// choices on every machine, so the seed is all that a failing test has to print.
// One thread; tests only.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "base/hash.h"

namespace quire {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(mix64(seed + 0x9E3779B97F4A7C15ull)) {}

  std::uint64_t next() { return mix64(state_ += 0x9E3779B97F4A7C15ull); }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(next() % bound); }
  std::uint32_t between(std::uint32_t low, std::uint32_t high) {  // both possible
    return low + below(high - low + 1);
  }
  bool chance(std::uint32_t percent) { return below(100) < percent; }
  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(static_cast<std::uint32_t>(values.size()))];
  }

 private:
  std::uint64_t state_;
};

}  // namespace quire
