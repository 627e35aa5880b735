// What a config of the repository says of the tensors of a model with an engine, against those that
// it has: names and datatypes of `input`, `output` and of the inputs of `model_warmup`, and the
// width of logits. What cannot be true is refused at load, before anybody is shown it.
// Pure function; any thread. Used by folder_repository, to whom it is given.
#pragma once

#include "base/status.h"
#include "host/hosted_model.h"
#include "host/repository/model_config.h"

namespace quire {

// kInvalidArgument names field and tensor, and what it would have to be.
Status check_declared_faces(const ModelConfig& config, const ModelInfo& info);

}  // namespace quire
