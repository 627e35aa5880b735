// The model that a path of this protocol names. A name may have slashes, so a path that is no
// endpoint may read as one: what is left over of an endpoint (a verb with another method,
// `versions` without a number) is told as such, and not as a model that is not there.
// Pure; any thread. Used by the routes of HTTP.
#pragma once

#include <optional>

#include "serve/call.h"

namespace quire {

// Why the path names no model or version of one that is served; nothing: it does.
std::optional<ApiError> find_path_fault(const DialectContext& context);

// The same of a path that is nothing but a model's (GET), as an answer: 405 with the method that it
// takes, 404, or the fault above.
std::optional<http::Response> refuse_bare_path(const DialectContext& context,
                                               const http::Request& request);

}  // namespace quire
