// How a text is to be generated, from wherever a request says so: input tensors by the names of
// Triton's LLM backends, request parameters, and the JSON of `sampling_parameters` (whose numbers
// may be written as strings, as clients of the vLLM backend write them). All of it becomes one JSON
// object for each row of the batch, in the names that OpenAI's endpoints read, so that there is
// one reader of sampling parameters; a name that is given twice is refused. Words that are empty
// are none, as TensorRT-LLM's clients send them.
// Pure; worker threads. Used by text_call.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "serve/dialects/kserve/inference/infer_call.h"

namespace quire {

// Of one row.
struct GenerationFields {
  Json object = Json::object();
  std::vector<std::pair<std::string, std::string>> sent_as;  // our name, the client's where another
};

// [batch] of them. `rest`: parameters that are not the protocol's own.
Parsed<std::vector<GenerationFields>> generation_fields(const InferRequest& request,
                                                        const InferParameters& rest,
                                                        std::size_t batch);

// An error about a field of the object, told by the name that the client sent.
ApiError told_as_sent(ApiError error, const GenerationFields& row);

}  // namespace quire
