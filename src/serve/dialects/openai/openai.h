// OpenAI's protocol as a value: its routes, its errors, the headers that its clients expect on
// every answer (openai-processing-ms, openai-version).
// A constant. Used by dialects/all.
#pragma once

#include "serve/route.h"

namespace quire {

extern const Dialect kOpenAiDialect;

}  // namespace quire
