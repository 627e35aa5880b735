// POST /api/push: a model of the store to a registry of Ollama's kind, with lines of how far it is;
// as many at once as there are errands, pulls included. A client that leaves ends it; asked again,
// what the registry has whole is not sent once more.
// I/O thread; the work is an errand's (serve/background). Used by the Ollama dialect.
#pragma once

#include <memory>

#include "serve/call.h"

namespace quire {

void push_ollama_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);
// What a body has, for the document of all routes; answers nothing.
Parsed<Call> describe_ollama_push(const DialectContext& context, const http::Request& request);

}  // namespace quire
