// The one place that makes hosted models out of concrete parts: what ModelHost opens and loads when
// a model is wanted, as often as it is.
// Called by serve at start-up; recipes run on ModelHost's loading thread.
#pragma once

#include <functional>
#include <memory>

#include "apps/greeting.h"
#include "apps/serve_arguments.h"
#include "host/model_host.h"
#include "runtime/memory_plan.h"

namespace quire {

// Told of every load, on the loading thread, before the model serves.
using LoadReport = std::function<void(const GreetedModel& model, double seconds)>;

ModelRecipe make_recipe(const NamedModel& model, std::shared_ptr<CpuDevice> device,
                        const MemoryLimit& limit, LoadReport report);

}  // namespace quire
