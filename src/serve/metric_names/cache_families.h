// What the response cache tells of itself: lookups and their times by model, hits and misses apart,
// and what it holds. Families of ours, from which Triton's names are made.
// Any thread. Used by metrics.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "serve/background/response_cache.h"

namespace quire {

std::vector<prometheus::MetricFamily> cache_families(const ResponseCache& cache);

}  // namespace quire
