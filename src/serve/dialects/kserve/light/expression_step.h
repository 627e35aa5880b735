// What a model of expressions makes of a request's tensors: they become values, the expressions of
// the outputs that are asked for are evaluated, and their values become tensors of the declared
// types and shapes, or it is told why not.
// Pure; worker threads. Used by light_call.
#pragma once

#include <vector>

#include "host/repository/ensemble/light_model.h"
#include "serve/dialects/kserve/inference/infer_values.h"

namespace quire {

// REQUIRES: a model of expressions, and the request was checked against its face.
Parsed<std::vector<NamedTensor>> run_expressions(const LightModel& model,
                                                 const InferRequest& request);

}  // namespace quire
