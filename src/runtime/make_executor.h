// make_executor: a backend, weights and wishes in, a LocalExecutor out: model, KV memory and limits
// fitted to each other. When no step budget is asked for, it is measured: the most tokens whose
// step stays near kStepTarget. Called at start-up by apps/, lab/ and tests.
#pragma once

#include <memory>

#include "model/model.h"
#include "runtime/capacity.h"
#include "runtime/local_executor.h"

namespace quire {

struct LocalOptions {
  CapacityRequest capacity;      // tokens_max 0: measured; context_max 0: the config's
  DType kv_dtype = DType::kF16;
  WeightScheme weights = WeightScheme::kAsStored;
  LoadProgress progress;
};

inline constexpr Nanos kStepTarget = std::chrono::milliseconds(200);

Result<std::unique_ptr<LocalExecutor>> make_executor(std::unique_ptr<Backend> backend,
                                                     const ModelConfig& config,
                                                     const TensorFinder& find,
                                                     const LocalOptions& options);

}  // namespace quire
