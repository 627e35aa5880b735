// Errors as TGI tells them: {"error", "error_type"} with its statuses; what is no JSON, of a wrong
// type or of a wrong content type is told in plain text, as TGI's web framework does it; a stream
// whose request is refused is a stream of one event.
// Pure; any thread. Used by the TGI dialect and by vLLM's, with which it shares two paths.
#pragma once

#include <string>

#include "base/json.h"
#include "serve/http/message.h"
#include "serve/intake/api_error.h"

namespace quire {

// "Input validation error: ..." (422): a value that is not allowed.
ApiError tgi_validation(std::string field, std::string_view detail);

// "Template error: ..." (422)
ApiError tgi_template_error(std::string_view detail);

// The same where it is one of a chat that makes no prompt: the template is missing, cannot be used
// or wants no such chat. Others stay as they are.
ApiError with_template_errors(ApiError error);

// A body that is not of the shape that is asked for (422, plain text).
ApiError tgi_wrong_type(std::string field, std::string_view expected, const Json& got);
ApiError tgi_missing_field(std::string field);

// {"error", "error_type"}
std::string tgi_error_body(const ApiError& error);

http::Response render_tgi_error(const ApiError& error, const http::Request& request);

// On a path that others use too: the body is TGI's, since it has `inputs`.
bool speaks_tgi(const http::Request& request);

}  // namespace quire
