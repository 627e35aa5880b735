// POST /api/embed (texts into vectors of length one) and the older /api/embeddings (one text into
// the vector as the model makes it).
// Pure; worker threads. Used by the Ollama dialect.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_ollama_embed(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_ollama_embeddings(const DialectContext& context, const http::Request& request);

}  // namespace quire
