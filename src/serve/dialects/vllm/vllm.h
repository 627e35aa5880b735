// What vLLM serves beside OpenAI's protocol, as a value: its own endpoints, which tell errors as
// OpenAI's do.
// A constant. Used by dialects/all.
#pragma once

#include "serve/route.h"

namespace quire {

extern const Dialect kVllmDialect;

}  // namespace quire
