// POST /api/pull: a model from a registry of Ollama's kind, or by a name that our store knows where
// to fetch, with lines of how far it is; as many at once as there are errands. A client that leaves
// ends it; asked again, it goes on where it was.
// I/O thread; the work is an errand's (serve/background). Used by the Ollama dialect.
#pragma once

#include <memory>

#include "serve/call.h"

namespace quire {

void pull_ollama_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);

}  // namespace quire
