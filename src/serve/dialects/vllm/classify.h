// POST /classify in vLLM's form: for each text the likeliest label and the chances of all labels,
// named as the model's files name them.
// Used by vllm.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_vllm_classify(const DialectContext& context, const http::Request& request);

}  // namespace quire
