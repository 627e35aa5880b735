// An inference as HTTP spells it, read: a JSON object whose tensors have their elements in `data`,
// flat or nested, or behind the JSON as bytes (the binary tensor extension: the header
// Inference-Header-Content-Length says where the JSON ends, `binary_data_size` how many bytes are
// an input's). A length of 0 is raw: the whole body is the only text.
// Pure; worker threads. Used by infer_http.
#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"
#include "serve/dialects/kserve/inference/infer_values.h"
#include "serve/http/message.h"

namespace quire {

inline constexpr std::string_view kInferHeaderLength = "inference-header-content-length";

struct HttpInfer {
  InferRequest request;            // model and version: as the body says, mostly nothing
  bool is_binary_default = false;  // outputs that say nothing
};

Parsed<HttpInfer> read_infer_body(const http::Request& request, bool warns_of_unknown);

// The parameter that a JSON value is; nothing: it is none.
std::optional<InferParameter> parameter_of(const Json& value);

// The elements of a JSON value, flat or nested as the shape says. Into tensor.bytes.
std::optional<ApiError> read_tensor_data(const Json& data, NamedTensor& tensor);

}  // namespace quire
