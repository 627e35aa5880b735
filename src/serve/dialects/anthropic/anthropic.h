// Anthropic's Messages API as a value: its routes, its errors, the request-id that clients show.
// GET /v1/models is OpenAI's path too: it is Anthropic's with the header anthropic-version.
// A constant. Used by dialects/all.
#pragma once

#include "serve/route.h"

namespace quire {

extern const Dialect kAnthropicDialect;

}  // namespace quire
