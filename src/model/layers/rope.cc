#include "model/layers/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace quire {
namespace {

// Long wavelengths are stretched by `factor`, short ones kept, those between are blended.
double scale_llama3(const RopeConfig& rope, double frequency) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double cycles = rope.original_context / wavelength;  // in the context it was trained for
  if (cycles < rope.low_freq_factor) return frequency / rope.factor;
  if (cycles >= rope.high_freq_factor) return frequency;
  const double blend =
      (cycles - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - blend) * frequency / rope.factor + blend * frequency;
}

// Where on the scale of frequencies one turns so often in the original context.
double yarn_index(const RopeConfig& rope, int dims, double turns) {
  return dims * std::log(rope.original_context / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(double{rope.theta}));
}

// Frequencies before the ramp are kept, those behind it divided by the factor.
double scale_yarn(const RopeConfig& rope, int dims, int i, double frequency) {
  double low = yarn_index(rope, dims, rope.beta_fast);
  double high = yarn_index(rope, dims, rope.beta_slow);
  if (rope.has_whole_ramp) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, dims - 1.0);
  if (low == high) high += 0.001;
  const double divided = std::clamp((i - low) / (high - low), 0.0, 1.0);
  return frequency / rope.factor * divided + frequency * (1 - divided);
}

// Keys that were turned one way cannot be turned another when their text grows, so that the longest
// text that a table is for decides, as of a model that is served with that context.
RopeConfig at_length(const RopeConfig& rope, int positions) {
  if (rope.scaling != RopeScaling::kLongRope) return rope;
  RopeConfig chosen = rope;
  const bool is_long = static_cast<float>(positions) > rope.original_context;
  const float magnitude = is_long ? rope.long_magnitude : rope.short_magnitude;
  if (magnitude > 0) chosen.magnitude = magnitude;
  chosen.frequency_factors = is_long ? rope.long_factors : rope.short_factors;
  return chosen;
}

}  // namespace

std::vector<double> rope_frequencies(const RopeConfig& rope, int head_dim) {
  const int dims = rope.dims_of(head_dim);
  QUIRE_CHECK(dims > 0 && dims % 2 == 0 && dims <= head_dim, "{} rotated values of {}", dims,
              head_dim);
  std::vector<double> frequencies(dims / 2);
  QUIRE_CHECK(rope.frequency_factors.empty() || rope.frequency_factors.size() == frequencies.size(),
              "{} factors for {} frequencies", rope.frequency_factors.size(), frequencies.size());
  for (int i = 0; i < dims / 2; ++i) {
    double frequency = std::pow(double{rope.theta}, -2.0 * i / dims);
    switch (rope.scaling) {
      case RopeScaling::kNone:
      case RopeScaling::kDynamic:
      case RopeScaling::kLongRope: break;
      case RopeScaling::kProportional:
        frequency = 2 * i < static_cast<int>(rope.proportion * dims / 2) * 2
                        ? frequency / rope.factor : 0;
        break;
      case RopeScaling::kLinear: frequency /= rope.factor; break;
      case RopeScaling::kLlama3: frequency = scale_llama3(rope, frequency); break;
      case RopeScaling::kYarn: frequency = scale_yarn(rope, dims, i, frequency); break;
    }
    if (!rope.frequency_factors.empty()) frequency /= rope.frequency_factors[i];
    frequencies[i] = frequency;
  }
  return frequencies;
}

RopeTable make_rope_table(const RopeConfig& rope, int head_dim, int positions) {
  QUIRE_CHECK(positions > 0, "angles of {} positions", positions);
  const RopeConfig chosen = at_length(rope, positions);
  const std::vector<double> frequencies = rope_frequencies(chosen, head_dim);
  const std::size_t half = frequencies.size();
  RopeTable table;
  table.cosines.resize(positions * half);
  table.sines.resize(positions * half);
  for (int position = 0; position < positions; ++position) {
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = position * frequencies[i];
      table.cosines[position * half + i] = static_cast<float>(chosen.magnitude * std::cos(angle));
      table.sines[position * half + i] = static_cast<float>(chosen.magnitude * std::sin(angle));
    }
  }
  return table;
}

namespace {

Rope rope_of(const RopeConfig& config, const RopeTable& table, int head_dim, Backend& backend) {
  Rope rope;
  rope.cosines = backend.vector(table.cosines);
  rope.sines = backend.vector(table.sines);
  rope.dims = config.dims_of(head_dim);
  rope.pairing = config.pairing == RopePairs::kAdjacent ? RopePairing::kAdjacent
                                                        : RopePairing::kHalfSplit;
  return rope;
}

}  // namespace

Rope make_rope(const RopeConfig& config, int head_dim, int positions, Backend& backend) {
  Rope rope = rope_of(config, make_rope_table(config, head_dim, positions), head_dim, backend);
  const RopeConfig chosen = at_length(config, positions);
  rope.frequencies = rope_frequencies(chosen, head_dim);
  rope.magnitude = chosen.magnitude;
  return rope;
}

Rope make_growing_rope(const RopeConfig* config, const ScoreGrowth& growth, int head_dim,
                       int positions, Backend& backend) {
  RopeConfig rope = config == nullptr ? RopeConfig() : *config;
  QUIRE_CHECK(rope.dims_of(head_dim) == head_dim && growth.every > 0, "{} of {} values turn",
              rope.dims_of(head_dim), head_dim);
  RopeTable table = make_rope_table(rope, head_dim, positions);
  if (config == nullptr) {
    std::fill(table.cosines.begin(), table.cosines.end(), 1.0f);
    std::fill(table.sines.begin(), table.sines.end(), 0.0f);
  }
  const auto half = static_cast<std::size_t>(head_dim) / 2;
  for (int position = 0; position < positions; ++position) {
    const double steps = (position + growth.offset) / growth.every;
    const auto scale = static_cast<float>(1 + growth.beta * std::log1p(steps));
    for (std::size_t i = 0; i < half; ++i) {
      table.cosines[static_cast<std::size_t>(position) * half + i] *= scale;
      table.sines[static_cast<std::size_t>(position) * half + i] *= scale;
    }
  }
  return rope_of(rope, table, head_dim, backend);
}

}  // namespace quire
