// Ollama's own HTTP API under /api: generate, chat, embeddings, and the models there are.
// Lines of JSON where OpenAI has events; times in nanoseconds; an error is {"error": "..."}; a
// model comes, stays and goes as its clients say.
#pragma once

#include "serve/route.h"

namespace quire {

extern const Dialect kOllamaDialect;

}  // namespace quire
