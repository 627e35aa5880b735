// POST /generate (whole), /generate_stream (events) and / (as `stream` says; a whole answer is a
// list of one): generate requests of TGI to a Call. /invocations of SageMaker is / by another name.
// Pure; worker threads. Used by routes.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_tgi_generate(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_tgi_stream(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_tgi_compat(const DialectContext& context, const http::Request& request);

}  // namespace quire
