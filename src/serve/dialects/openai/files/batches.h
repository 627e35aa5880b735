// Endpoints of /v1/batches: make one of an uploaded file, show, list, cancel. Its lines are checked
// here and answered by BatchRunner.
// Worker threads. Used by the dialect's table.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_create_batch(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_show_batch(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_list_batches(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_cancel_batch(const DialectContext& context, const http::Request& request);

}  // namespace quire
