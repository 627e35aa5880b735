// The noise of draws: one Gumbel variate per (seed, position, branch, token), a pure function.
// argmax(logit / T + gumbel) draws a token from softmax(logits / T) (the Gumbel-max trick; Maddison
// et al., "A* sampling", 2014), and a proposer that uses the same noise proposes the same token
// whenever its logits agree, so speculation changes no text.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "base/ids.h"
#include "base/philox.h"

namespace quire {

// No variate is larger: -log(-log(1 - 2^-33)).
inline constexpr double kGumbelMax = 22.8738;

// A Gumbel variate from 32 random bits; larger words give larger variates.
inline double gumbel_of(std::uint32_t word) {
  const double uniform = (word + 0.5) * 0x1p-32;
  return -std::log(-std::log(uniform));
}

// No smaller word gives a variate of `wanted` or more: -log(-log(u)) <= -log(1 - u).
inline std::uint32_t least_word_of(double wanted) {
  const double share = std::exp(-wanted) * (1 + 1e-9);  // at most so far from 1
  return share >= 1 ? 0 : static_cast<std::uint32_t>(std::max(0.0, (1 - share) * 0x1p32 - 1));
}

// Four neighbouring tokens share one call of philox; a uniform has 32 bits.
class GumbelNoise {
 public:
  GumbelNoise(std::uint64_t seed, std::uint64_t position, std::uint64_t branch)
      : seed_(seed), position_(position), branch_(branch << 32) {}

  double operator()(TokenId token) {
    const auto group = static_cast<std::uint64_t>(token) >> 2;
    if (group != group_) {
      words_ = philox(seed_, position_, stream(token));
      group_ = group;
    }
    return gumbel_of(words_[token & 3]);
  }

  // Where the words come from: philox(seed, position, stream of the token)[token & 3].
  std::uint64_t seed() const { return seed_; }
  std::uint64_t position() const { return position_; }
  std::uint64_t stream(TokenId token) const {
    return branch_ | static_cast<std::uint64_t>(token) >> 2;
  }

 private:
  std::uint64_t seed_, position_, branch_;
  std::uint64_t group_ = ~std::uint64_t{0};
  std::array<std::uint32_t, 4> words_{};
};

}  // namespace quire
