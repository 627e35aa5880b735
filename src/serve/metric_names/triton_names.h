// The names that Triton gives its metrics, so that a dashboard or a gateway made for it reads this
// server too: the same numbers under "nv_", labelled model and version. A phase that this server
// does not have (copying inputs and outputs between backends) took no time.
// What a repository serves has its version's number as Triton has it; its models without an engine
// have the same counters: requests, and durations where an ensemble's computing is its steps'.
// Pure but for what the repository tells; any thread. Used by metrics.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "host/model_host.h"

namespace quire {

class ModelRepository;

// `ours`: what is shown under our names. `repository`: null: there is none.
std::vector<prometheus::MetricFamily> triton_families(
    const std::vector<prometheus::MetricFamily>& ours, const std::vector<ModelRow>& models,
    const ModelRepository* repository);

}  // namespace quire
