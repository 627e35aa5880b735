// How a text is to be generated, from wherever a request says so: input tensors by the names of
// Triton's LLM backends, request parameters, and the JSON of `sampling_parameters` (whose numbers
// may be written as strings, as clients of the vLLM backend write them). All of it becomes one JSON
// object for each row of the batch, in the names that OpenAI's endpoints read, so that there is
// one reader of sampling parameters; a name that is given twice is refused.
// Pure; worker threads. Used by text_call.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "serve/dialects/kserve/inference/infer_call.h"

namespace quire {

// [batch] objects. `rest`: parameters that are not the protocol's own.
Parsed<std::vector<Json>> generation_objects(const InferRequest& request,
                                             const InferParameters& rest, std::size_t batch);

}  // namespace quire
