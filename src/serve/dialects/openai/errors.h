// Errors in OpenAI's shape: {"error": {message, type, param, code}}, with retry-after where it is
// known when to come again.
// Pure; any thread. Used by the OpenAI dialect and those that tell errors like it.
#pragma once

#include <string>

#include "serve/http/message.h"
#include "serve/intake/api_error.h"

namespace quire {

std::string openai_error_body(const ApiError& error);
http::Response render_openai_error(const ApiError& error);

}  // namespace quire
