// POST /v1/chat/completions: messages to a Call, events to a message or to chunks.
// The table of fields is in the source; what they mean is OpenAI's and vLLM's documentation.
// Used by routes.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_openai_chat(const DialectContext& context, const http::Request& request);

// vLLM's /v1/chat/completions/batch: `messages` is a list of conversations, each of which gets its
// choices in one answer.
Parsed<Call> parse_chat_batch(const DialectContext& context, const http::Request& request);

}  // namespace quire
