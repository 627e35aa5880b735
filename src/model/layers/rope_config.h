// RopeConfig: how an architecture turns queries and keys by their position, and the reader of what
// files say about it: `rope_scaling` beside `rope_theta` (transformers 4), `rope_parameters`
// (transformers 5), or the rope.* keys of GGUF. A scaling that is not computed is refused by name.
// Plain value; any thread. Used by model/arch and rope.cc.
#pragma once

#include <string>
#include <vector>

#include "formats/config/fields.h"

namespace quire {

// Which two values of a head a rotation turns: x[2i] and x[2i+1], or x[i] and x[i + head_dim/2].
enum class RopePairs { kAdjacent, kHalfSplit };

enum class RopeScaling {
  kNone,
  kLinear,  // positions divided by `factor`
  kLlama3,  // long wavelengths divided by `factor`, short ones kept
};

struct RopeConfig {
  float theta = 10000;  // base of the frequencies
  RopePairs pairing = RopePairs::kHalfSplit;
  RopeScaling scaling = RopeScaling::kNone;
  float factor = 1;
  float low_freq_factor = 1;   // llama3: wavelengths above original_context / low are divided
  float high_freq_factor = 4;  // llama3: those below original_context / high are kept
  float original_context = 0;  // llama3: positions it was first trained for
  std::vector<float> frequency_factors;  // [head_dim / 2] divisors of the frequencies, or empty
};

// Everything but the pairing. Errors go to the fields.
RopeConfig read_rope(const ConfigFields& fields, int head_dim);

// "theta 10000, half-split pairs, linear scaling 4": for quire show.
std::string rope_text(const RopeConfig& rope);

}  // namespace quire
