// Texts to texts: each of `text_input` is continued, and `text_output` is the answer, whole or, on
// a transport that takes any number of responses, piece by piece. Beside it go how it ended, counts
// and log-probabilities where they are asked for. As in Triton's vLLM backend a whole answer begins
// with its input unless `exclude_input_in_output` is set, and a streamed one never does.
// Worker threads; the answer on the I/O thread. Used by infer_call.
#pragma once

#include <memory>

#include "serve/dialects/kserve/inference/infer_call.h"

namespace quire {

struct TextCall {
  Call call;
  bool is_repeatable = true;  // asked again, the texts would be the same: no seed is of chance
};

Parsed<TextCall> make_text_call(const DialectContext& context, const ModelLease& model,
                                InferRequest request, const InferTerms& terms,
                                std::unique_ptr<InferFormat> format);

}  // namespace quire
