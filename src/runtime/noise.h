// The sampler's noise: one Gumbel variate per (seed, position, branch, token), a pure function.
// argmax(logit / T + gumbel) draws a token from softmax(logits / T) (the Gumbel-max trick; Maddison
// et al., "A* sampling", 2014), and a proposer that uses the same noise proposes the same token
// whenever its logits agree, so speculation changes no text.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/ids.h"
#include "base/philox.h"

namespace quire {

// No variate is larger: -log(-log(1 - 2^-33)).
inline constexpr double kGumbelMax = 22.8738;

// Four neighbouring tokens share one call of philox; a uniform has 32 bits.
class GumbelNoise {
 public:
  GumbelNoise(std::uint64_t seed, std::uint64_t position, std::uint64_t branch)
      : seed_(seed), position_(position), branch_(branch << 32) {}

  double operator()(TokenId token) {
    const auto group = static_cast<std::uint64_t>(token) >> 2;
    if (group != group_) {
      words_ = philox(seed_, position_, branch_ | group);
      group_ = group;
    }
    const double uniform = (words_[token & 3] + 0.5) * 0x1p-32;
    return -std::log(-std::log(uniform));
  }

 private:
  std::uint64_t seed_, position_, branch_;
  std::uint64_t group_ = ~std::uint64_t{0};
  std::array<std::uint32_t, 4> words_{};
};

}  // namespace quire
