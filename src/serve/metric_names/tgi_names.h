// The names that TGI gives its metrics, so that a dashboard or an autoscaler made for it reads this
// server too: the same numbers under "tgi_", those of all models added up, since TGI has one; the
// buckets are ours. What a step of ours does not do (concatenating and filtering batches) is not
// there.
// Pure; any thread. Used by metrics.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "host/model_host.h"

namespace quire {

// `ours`: what is shown under our names.
std::vector<prometheus::MetricFamily> tgi_families(
    const std::vector<prometheus::MetricFamily>& ours, const std::vector<ModelRow>& models);

}  // namespace quire
