#include "model/layers/rope.h"

#include <cmath>
#include <numbers>

namespace quire {
namespace {

// Long wavelengths are stretched by `factor`, short ones kept, those between are blended.
double scale_llama3(const RopeConfig& rope, double frequency) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double cycles = rope.original_context / wavelength;  // in the context it was trained for
  if (cycles < rope.low_freq_factor) return frequency / rope.factor;
  if (cycles > rope.high_freq_factor) return frequency;
  const double blend =
      (cycles - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - blend) * frequency / rope.factor + blend * frequency;
}

}  // namespace

std::vector<double> rope_frequencies(const RopeConfig& rope, int head_dim) {
  std::vector<double> frequencies(head_dim / 2);
  for (int i = 0; i < head_dim / 2; ++i) {
    double frequency = std::pow(double{rope.theta}, -2.0 * i / head_dim);
    switch (rope.scaling) {
      case RopeScaling::kNone: break;
      case RopeScaling::kLinear: frequency /= rope.factor; break;
      case RopeScaling::kLlama3: frequency = scale_llama3(rope, frequency); break;
    }
    if (!rope.frequency_factors.empty()) frequency /= rope.frequency_factors[i];
    frequencies[i] = frequency;
  }
  return frequencies;
}

RopeTable make_rope_table(const RopeConfig& rope, int head_dim, int positions) {
  const std::vector<double> frequencies = rope_frequencies(rope, head_dim);
  const std::size_t half = frequencies.size();
  RopeTable table;
  table.cosines.resize(positions * half);
  table.sines.resize(positions * half);
  for (int position = 0; position < positions; ++position) {
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = position * frequencies[i];
      table.cosines[position * half + i] = static_cast<float>(std::cos(angle));
      table.sines[position * half + i] = static_cast<float>(std::sin(angle));
    }
  }
  return table;
}

Rope make_rope(const RopeConfig& config, int head_dim, int positions, Backend& backend) {
  const RopeTable table = make_rope_table(config, head_dim, positions);
  Rope rope;
  rope.cosines = backend.vector(table.cosines);
  rope.sines = backend.vector(table.sines);
  rope.dims = head_dim;
  rope.pairing = config.pairing == RopePairs::kAdjacent ? RopePairing::kAdjacent
                                                        : RopePairing::kHalfSplit;
  return rope;
}

}  // namespace quire
