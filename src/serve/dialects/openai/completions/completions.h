// POST /v1/completions: prompts (text, texts, token ids, lists of them) to a Call, events to
// choices with text and log-probability columns, whole or streamed. With `echo` a choice begins
// with its prompt; `echo` with `max_tokens` 0 scores the prompt alone.
// Used by routes.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_openai_completion(const DialectContext& context, const http::Request& request);

}  // namespace quire
