// A tensor on its way through an ensemble, held against what somebody has declared of it: a step's
// model of its inputs and outputs, the ensemble of its own. Where one of both has a batch and the
// other has not, a shape is changed as Triton changes it: a batch of one comes before what is the
// declared shape already, or goes.
// Pure; any thread. Used by ensemble_run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/repository/model_config.h"
#include "serve/dialects/kserve/inference/infer_values.h"

namespace quire {

// What a config says of its tensors.
struct DeclaredTensors {
  std::vector<ModelTensor> inputs, outputs;  // none: nothing is said
  bool has_batch = false;
};

// Null: nothing is said of it.
const ModelTensor* find_declared(const std::vector<ModelTensor>& tensors, const std::string& name);

// As `declared` would have it, if the batch is all that is between them.
std::vector<std::int64_t> declared_shape(const ModelTensor& declared, bool wants_batch,
                                         const std::vector<std::int64_t>& shape, bool has_batch);

// "unexpected shape for WHAT. Expected [-1,3], got [1,4]." and the like; nothing: it fits.
std::optional<std::string> find_misfit(const ModelTensor& declared, bool wants_batch,
                                       TensorType type, const std::vector<std::int64_t>& shape,
                                       const std::string& what);

}  // namespace quire
