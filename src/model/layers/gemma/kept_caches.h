// Kept caches: layers of two kinds, with a window or without, of which the last attend to what an
// earlier one of their kind keeps and keep nothing themselves (Gemma 3n and 4). Readers of that
// division, and where each layer then finds keys and values.
// Pure functions, and the loading of their attention. Called by the architectures.
#pragma once

#include <string>
#include <vector>

#include "backend/program.h"
#include "formats/config/fields.h"
#include "model/layers/attention.h"
#include "model/model_facts.h"
#include "model/tensor_rules.h"

namespace quire {

struct KeptLayer {
  bool is_local = false;  // has a window
  int head_dim = 0, kv_heads = 0;
  int keeper = 0;  // the layer whose keys and values it attends to: itself, or an earlier one
};

struct KeptCaches {
  std::vector<GroupFacts> groups;
  std::vector<CacheSlot> slots;  // [layers]
};

// REQUIRES: layers of a kind have heads of one shape; a keeper keeps its own.
KeptCaches keep_caches(const std::vector<KeptLayer>& layers, int heads, int window);

// Loads attention whose queries, keys and values are all normed, so that scores are not divided:
// all its norms are of `eps`, those of values without a weight.
// REQUIRES: rotations, heads and window of the layer are set.
Status load_normed_attention(WeightLoader& loader, const std::string& prefix, float eps,
                             Backend& backend, AttentionLayer& layer);

// Appends a layer for each of `count`, by layer_types; without them every pattern-th sees all.
void read_kept_kinds(const ConfigFields& fields, int count, int pattern,
                     std::vector<KeptLayer>& layers);
// The last `shared` layers, which `key` of the file says, keep nothing.
void read_keepers(const ConfigFields& fields, Key key, int shared, std::vector<KeptLayer>& layers);

// Files may hold keys and values of a layer that keeps none.
void ignore_kept(int layer, TensorRules& rules);

std::string kept_text(const std::vector<KeptLayer>& layers);    // "of 4 of 6 layers"
std::string window_text(const std::vector<KeptLayer>& layers, int window);

}  // namespace quire
