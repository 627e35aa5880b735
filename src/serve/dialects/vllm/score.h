// POST /score and /v1/score in vLLM's form: how well texts fit each other, one with many or each
// with its own, under any of the names that its versions gave the two sides.
// Used by vllm.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_vllm_score(const DialectContext& context, const http::Request& request);

}  // namespace quire
