// Between protobuf's spelling of an inference and the values that both transports share. Typed
// contents and raw ones are read, mixed ones refused as the protocol says; answers are raw.
// Pure; any thread. Used by the methods.
#pragma once

#include "proto/inference.pb.h"
#include "serve/dialects/kserve/inference/infer_values.h"

namespace quire::rpc {

Parsed<InferRequest> read_infer(inference::ModelInferRequest&& message);

void write_infer(const InferResponse& response, inference::ModelInferResponse& message);

// The parameter, or nothing where the message sets none.
std::optional<InferParameter> read_parameter(const inference::InferParameter& message);

}  // namespace quire::rpc
