#include "model/encoder/relative_bias.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>

namespace quire {
namespace {

// Buckets of half of the range for each distance on its own, then as the logarithm; the last for
// all that is further. `distance` is of the key from the query.
int bucket_of(int distance, const RelativeBuckets& b) {
  int first = 0, buckets = b.buckets;
  if (b.is_bidirectional) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    distance = std::abs(distance);
  } else {
    distance = std::max(-distance, 0);
  }
  const int exact = buckets / 2;
  if (distance < exact) return first + distance;
  const float ratio = std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(b.distance_max) / exact));
  const int further = static_cast<int>(ratio * static_cast<float>(buckets - exact));
  return first + std::min(exact + further, buckets - 1);
}

}  // namespace

std::vector<float> spread_bias(const std::vector<float>& values, const RelativeBuckets& b,
                               int head_count, int reach) {
  const auto span = static_cast<std::size_t>(2 * reach + 1);
  const auto heads = static_cast<std::size_t>(head_count);
  std::vector<float> bias(heads * span);
  for (std::size_t i = 0; i < span; ++i) {
    const auto bucket = static_cast<std::size_t>(bucket_of(static_cast<int>(i) - reach, b));
    for (std::size_t h = 0; h < heads; ++h) bias[h * span + i] = values[bucket * heads + h];
  }
  return bias;
}

std::vector<float> sloping_bias(const std::vector<float>& slopes, int reach) {
  std::vector<float> bias;
  bias.reserve(slopes.size() * static_cast<std::size_t>(2 * reach + 1));
  for (const float slope : slopes) {
    for (int i = -reach; i <= reach; ++i) bias.push_back(-slope * static_cast<float>(std::abs(i)));
  }
  return bias;
}

}  // namespace quire
