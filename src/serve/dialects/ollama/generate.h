// POST /api/generate and /api/chat: from a body to a request of the engine. A prompt goes through
// the model's template as a chat of one message, unless it is raw; what does not fit is cut as
// Ollama cuts it (of chats the oldest messages, of texts what stands behind the first tokens), and
// the answer says so.
// Pure; worker threads. Used by the Ollama dialect.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_ollama_generate(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_ollama_chat(const DialectContext& context, const http::Request& request);

// The body as JSON; an empty one is an error of its own.
Parsed<Json> read_ollama_body(const http::Request& request);

}  // namespace quire
