// The catch-all of the worker threads that read requests: what a library threw is told to the
// client as a fault of the server, and to the operator by the log. The turns that a request takes
// which is refused are told so (host/leased_turn.h).
// Worker threads; used by Service.
#pragma once

#include "serve/route.h"

namespace quire {

using ParseFunction = Parsed<Call> (*)(const DialectContext& context, const http::Request& request);

Parsed<Call> parse_safely(ParseFunction parse, const DialectContext& context,
                          const http::Request& request);

}  // namespace quire
