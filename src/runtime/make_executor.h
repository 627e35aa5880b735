// make_executor: a backend, weights and wishes in, a LocalExecutor out: model, KV memory and limits
// fitted to each other. When no step budget is asked for, it is measured: the most tokens whose
// step stays near kStepTarget. Called at start-up by apps/, lab/ and tests.
#pragma once

#include <memory>

#include <optional>

#include "model/architecture.h"
#include "runtime/capacity.h"
#include "runtime/local_executor.h"

namespace quire {

struct LocalOptions {
  CapacityRequest capacity;      // tokens_max 0: measured; context_max 0: the model's
  KvTypes kv_dtype;              // of keys and of values
  WeightScheme weights = WeightScheme::kAsStored;
  std::optional<Pool> pool;      // of a model that makes a vector of a text; nothing: its own
  LoadProgress progress;
  std::function<Status()> source_health;  // of the tensors that are found; empty: always ok
};

// How long decoding sequences wait at most while a prompt is read beside them, against how much of
// each step they take from the prompt: with 16 clients on a 1.1B model and two cores, half of the
// first tokens came within 1.5 s at 200 ms, within 1.0 s at 400 ms and within 0.9 s at 800 ms.
inline constexpr Nanos kStepTarget = std::chrono::milliseconds(400);

Result<std::unique_ptr<LocalExecutor>> make_executor(std::unique_ptr<Backend> backend,
                                                     const Design& design,
                                                     const TensorFinder& find,
                                                     const LocalOptions& options);

}  // namespace quire
