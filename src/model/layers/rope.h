// RopeTable: cosines and sines of the rotary angles for every position, computed once in double
// (Su et al., "RoFormer", 2021). Scaling is a change of the frequencies: linear (position
// interpolation), Llama 3's by wavelength or YaRN's by a ramp; a file may also give a factor per
// frequency. longrope has two sets of such factors, of which a table has one: the long ones if it
// reaches beyond the context that the model was first trained for. Of a head the first `dims`
// values turn.
#pragma once

#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/layers/rope_config.h"

namespace quire {

struct RopeTable {
  std::vector<float> cosines;  // [positions, dims / 2]
  std::vector<float> sines;    // [positions, dims / 2]
};

// One angle step per pair, after scaling.  [dims / 2]
// REQUIRES, here and below: an even number of dims within the head; factors for every pair or none;
// positions > 0.
std::vector<double> rope_frequencies(const RopeConfig& rope, int head_dim);

RopeTable make_rope_table(const RopeConfig& rope, int head_dim, int positions);

// The same on the device, without a norm.
Rope make_rope(const RopeConfig& config, int head_dim, int positions, Backend& backend);

// What turns queries and lets them grow. `config` null: they grow and do not turn.
// REQUIRES: all of a head turns.
Rope make_growing_rope(const RopeConfig* config, const ScoreGrowth& growth, int head_dim,
                       int positions, Backend& backend);

}  // namespace quire
