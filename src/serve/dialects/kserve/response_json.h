// Parts of answers in JSON: an answer's head, tensors, errors.
// Floats are the shortest text that reads back as the same bits; data lists are flat.
// Pure; any thread. Used by infer_http, generate and the dialect.
#pragma once

#include <string>

#include "serve/dialects/kserve/inference/infer_values.h"

namespace quire {

// {"model_name":...,"model_version":...,"id":...,"parameters":{...}   without the closing brace
std::string response_head(const InferResponse& response);

// {"name":...,"datatype":...,"shape":[...]   without the closing brace
void append_tensor_head(const NamedTensor& tensor, std::string& json);
void append_tensor_data(const NamedTensor& tensor, std::string& json);  // [...]
// The list, or of a single element that.
void append_tensor_value(const NamedTensor& tensor, std::string& json);

std::string parameter_json(const InferParameter& value);
std::string kserve_error_body(const ApiError& error);  // {"error":"..."}

}  // namespace quire
