// What the versions of models get whose traffic is divided, in Prometheus' text format: a series
// each, at the end of /metrics. Empty where there is no such model.
// Any thread. Used by quire.
#pragma once

#include <string>

#include "host/repository/model_repository.h"

namespace quire {

std::string version_metrics(const ModelRepository* repository);

}  // namespace quire
