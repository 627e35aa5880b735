// Biases of scores by the distance of key and query (Raffel et al., "T5", 2020): distances fall
// into buckets, each head has a value for each.
// Pure functions. Called by the architectures.
#pragma once

#include <vector>

namespace quire {

struct RelativeBuckets {
  int buckets = 0;
  int distance_max = 128;        // all that is further is in the last bucket
  bool is_bidirectional = true;  // else what comes after the query is in the first
};

// values: [buckets, heads]. Returns [heads, 2 * reach + 1], by the key's distance from the query.
std::vector<float> spread_bias(const std::vector<float>& values, const RelativeBuckets& b,
                               int heads, int reach);

// The same of biases that grow with the distance to either side (Press et al., "ALiBi", 2022).
std::vector<float> sloping_bias(const std::vector<float>& slopes, int reach);

}  // namespace quire
