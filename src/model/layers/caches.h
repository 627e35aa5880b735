// Where each attention layer remembers its positions: layers that see the whole text share one KV
// group, those with a window another, so that blocks behind the window are freed. Facts of a model
// and the layers it builds use the same division.
// Pure functions. Called by the architectures.
#pragma once

#include <span>
#include <vector>

#include "backend/program.h"
#include "model/model_facts.h"

namespace quire {

struct Caches {
  std::vector<GroupFacts> groups;
  std::vector<CacheSlot> slots;  // [layers]
};

// `windows`: of each layer, 0 for all positions. `like`: heads and widths, the same in all layers.
// REQUIRES: a layer or more; no window is negative.
Caches divide_layers(std::span<const int> windows, const GroupFacts& like);

}  // namespace quire
