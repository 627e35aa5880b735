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
  kYarn,    // the same by a ramp over the frequencies (Peng et al., "YaRN", 2023)
  kDynamic,  // nothing inside the trained context, beyond which nobody is served
  kProportional,  // of all frequencies of a head the first part turns, the others stand
  kLongRope,  // divisors for each frequency, of short texts or of long ones (Ding et al., 2024)
};

struct RopeConfig {
  float theta = 10000;  // base of the frequencies
  RopePairs pairing = RopePairs::kHalfSplit;
  RopeScaling scaling = RopeScaling::kNone;
  float factor = 1;
  float low_freq_factor = 1;   // llama3: wavelengths above original_context / low are divided
  float high_freq_factor = 4;  // llama3: those below original_context / high are kept
  float original_context = 0;  // llama3, yarn, longrope: positions it was first trained for
  int stated_context = 0;      // longrope: the same, as the file says it beside the scaling
  float beta_fast = 32;        // yarn: who turns more often in that context is kept
  float beta_slow = 1;         // yarn: who turns less often is divided by `factor`
  bool has_whole_ramp = true;  // yarn: the ramp begins and ends at whole frequencies
  float magnitude = 1;         // of cosines and sines
  float short_magnitude = 0, long_magnitude = 0;  // longrope: the same by the text; 0: `magnitude`
  float score_magnitude = 1;   // yarn: of the whole head, where an architecture knows of it
  float proportion = 1;        // proportional: the part
  int dims = 0;                // rotated values of a head, the first ones; 0: all
  std::vector<float> frequency_factors;  // [dims / 2] divisors of the frequencies, or empty
  std::vector<float> short_factors, long_factors;  // longrope: the same, likewise

  int dims_of(int head_dim) const { return dims > 0 ? dims : head_dim; }
  // Positions that the scaling was made for; 0: it says nothing.
  int context() const {
    return scaling == RopeScaling::kYarn ? static_cast<int>(original_context * factor) : 0;
  }
};

// Scores that grow with the position p of a query, for texts longer than trained ones (Nakanishi,
// "Scalable-softmax", 2025): times 1 + beta log(1 + floor((p + offset) / every)).
struct ScoreGrowth {
  float beta = 0;  // 0: they do not
  int every = 1;
  int offset = 0;
};

// What a file is taken to mean where it says nothing.
struct RopeDefaults {
  double theta = 10000;
  double partial = 1;  // share of a head that is rotated
  int stated_context = 0;  // of longrope, likewise; 0: nothing
};

// Everything but the pairing. Errors go to the fields.
RopeConfig read_rope(const ConfigFields& fields, int head_dim, const RopeDefaults& defaults = {});
// What one object of rope_parameters says, where each kind of layer has its own.
void read_rope_parameters(const ConfigFields& parameters, int head_dim, RopeConfig& rope);

// What Mistral's files say of it beside the scaling. `context`: of files that give no original one.
ScoreGrowth read_score_growth(const ConfigFields& fields, int context);
// Rotations of layers that see all and of those with a window, in the words of transformers 5 (an
// object for each kind) or 4 (rope_theta and rope_scaling beside rope_local_base_freq), or of GGUF.
// `theta`: the base of the first where a file says nothing; of the second it is 10000.
void read_two_ropes(const ConfigFields& fields, int head_dim, double theta, RopeConfig& rope,
                    RopeConfig& window_rope);

// "theta 10000, half-split pairs, linear scaling 4": for quire show.
std::string rope_text(const RopeConfig& rope);

}  // namespace quire
