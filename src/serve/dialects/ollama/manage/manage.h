// POST /api/copy and DELETE /api/delete: a further name for a model, and the end of one. Whoever is
// being answered by a model that goes is answered to the end.
// Worker threads. Used by the Ollama dialect.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_ollama_copy(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_ollama_delete(const DialectContext& context, const http::Request& request);

}  // namespace quire
