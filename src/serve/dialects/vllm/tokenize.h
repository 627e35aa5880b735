// POST /tokenize and /detokenize in vLLM's form: a prompt or a chat to token ids, and back. They
// are answered without the engine: the Call has no requests.
// Used by routes.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_vllm_tokenize(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_vllm_detokenize(const DialectContext& context, const http::Request& request);

}  // namespace quire
