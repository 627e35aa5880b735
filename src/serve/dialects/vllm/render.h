// vLLM's render endpoints: what a request of chat or completions would feed to the model, as tokens
// and settings, without computing anything; and /invocations, SageMaker's one door, where the body
// tells which endpoint is meant.
// Pure; worker threads. Used by vllm.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> render_vllm_chat(const DialectContext& context, const http::Request& request);
Parsed<Call> render_vllm_completion(const DialectContext& context, const http::Request& request);
Parsed<Call> invoke_vllm(const DialectContext& context, const http::Request& request);

}  // namespace quire
