// POST /api/create: a model of the store from another or from files that were sent to /api/blobs,
// with what a Modelfile says beside them.
// Worker threads. Used by the Ollama dialect.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_ollama_create(const DialectContext& context, const http::Request& request);

}  // namespace quire
