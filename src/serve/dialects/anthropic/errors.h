// Errors in Anthropic's shape: {"type": "error", "error": {type, message}, "request_id"}, under the
// statuses of its service: what is overloaded or drains is 529, what took too long 504. A message
// begins with the path of the field at fault ("messages.0.content: ...").
// Pure; any thread. Used by the Anthropic dialect.
#pragma once

#include <string>
#include <string_view>

#include "serve/http/message.h"
#include "serve/intake/api_error.h"

namespace quire {

std::string anthropic_error_body(const ApiError& error, std::string_view request_id);
http::Response render_anthropic_error(const ApiError& error, const http::Request& request);

}  // namespace quire
