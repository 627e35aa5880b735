// POST /pooling in vLLM's form: what a model makes of texts, whichever kind it is: embeddings, or
// the scores of labels.
// Used by vllm.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_vllm_pooling(const DialectContext& context, const http::Request& request);

}  // namespace quire
