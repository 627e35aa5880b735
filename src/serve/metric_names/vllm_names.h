// The names that vLLM gives its metrics, so that a dashboard or an autoscaler made for it reads
// this server too: the same numbers under "vllm:", labelled model_name and engine; the buckets are
// ours.
// Pure; any thread. Used by metrics.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "host/model_host.h"

namespace quire {

// `ours`: what is shown under our names.
std::vector<prometheus::MetricFamily> vllm_families(
    const std::vector<prometheus::MetricFamily>& ours, const std::vector<ModelRow>& models);

}  // namespace quire
