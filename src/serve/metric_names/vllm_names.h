// The names that vLLM gives its metrics, so that a dashboard or an autoscaler made for it reads
// this server too: the same numbers under "vllm:", labelled model_name and engine; the buckets are
// ours.
// Pure; any thread. Used by metrics.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "host/model_host.h"

namespace quire {

struct VllmFacts {
  bool is_asleep = false;
  bool has_old = false;  // names that vLLM has hidden, for dashboards that still ask for them
};

// `ours`: what is shown under our names. What vLLM counts and is not here (adapters, images, caches
// outside of the process) has its names, too, and stays at zero: autoscalers want every one.
std::vector<prometheus::MetricFamily> vllm_families(
    const std::vector<prometheus::MetricFamily>& ours, const std::vector<ModelRow>& models,
    const VllmFacts& facts);

}  // namespace quire
