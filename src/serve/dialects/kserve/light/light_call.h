// From an InferRequest to a light model (one without an engine) to the Call that answers it. An
// ensemble's goes on by itself, step by step (ensemble_run).
// Worker threads. Used by infer_call.
#pragma once

#include <memory>

#include "serve/dialects/kserve/inference/infer_call.h"

namespace quire {

struct LightModel;

// REQUIRES: `terms` tell errors.
Parsed<Call> make_light_call(const DialectContext& context, std::shared_ptr<const LightModel> model,
                             InferRequest request, const InferTerms& terms,
                             std::unique_ptr<InferFormat> format);

}  // namespace quire
