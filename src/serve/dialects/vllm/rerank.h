// POST /rerank, /v1/rerank and /v2/rerank, as Jina, Cohere and vLLM have it: documents by how well
// they answer a query, the best first.
// Used by vllm.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_vllm_rerank(const DialectContext& context, const http::Request& request);

}  // namespace quire
