// A model with an engine as its config in the model repository has it: what the model is, with the
// batch and the way of answering that are declared. A model of no repository, and one whose config
// says nothing of batches and tensors, takes kInferBatchMax rows; max_batch_size 0 is no batch.
// Pure; any thread. Used by whoever shows a model and by inference.
#pragma once

#include <string>

#include "serve/dialects/kserve/inference/model_face.h"

namespace quire {

struct House;

// `house` null: there is no repository.
ModelFace declared_face(const House* house, const ModelInfo& info, std::string name);

// Of a model whose config names tensors these stay, in its order; of others all that it has. A
// client that asks for whatever is shown (perf_analyzer) so gets what belongs together.
void keep_declared(const House& house, ModelFace& face);

}  // namespace quire
