// Texts to vectors, of a model that makes those: `text_input` [batch, 1] is answered with
// `embedding` [batch, width] (of a model without batches [width]), FP32: of length one where the
// model means it so; of a classifier its scores.
// Worker threads; the answer on the I/O thread. Used by infer_call.
#pragma once

#include <memory>

#include "serve/dialects/kserve/inference/infer_call.h"

namespace quire {

Parsed<Call> make_vector_call(const DialectContext& context, const ModelLease& model,
                              const ModelFace& face, InferRequest request,
                              std::unique_ptr<InferFormat> format);

}  // namespace quire
