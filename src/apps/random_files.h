// Random weights in place of a model's files, so that serve and run can be measured on a shape
// whose weights nobody has: `quire serve random:llama-1b:q8_0 --tokenizer FILE`. Weights are those
// of quire bench. Called by apps/load at start-up.
#pragma once

#include <memory>
#include <string>

#include "model/model_files.h"

namespace quire {

// Whether a MODEL argument asks for random weights.
bool is_random_model(const std::string& path);

// `path` is random:SHAPE:TYPE, with a shape of lab/random_model and a type such as q8_0.
Result<std::unique_ptr<ModelFiles>> open_random_model(const std::string& path,
                                                      const std::string& tokenizer_path,
                                                      int threads);

}  // namespace quire
