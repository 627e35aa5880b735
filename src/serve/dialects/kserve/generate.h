// POST /v2/models/{model}[/versions/{version}]/generate and generate_stream: a flat JSON object
// whose members are inputs where the model has one of that name, and parameters otherwise; the
// object `parameters` is read by the same rule. The answer is one such object, or events of them.
// Worker threads; the answer on the I/O thread. Used by kserve.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_kserve_generate(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_kserve_generate_stream(const DialectContext& context,
                                          const http::Request& request);

}  // namespace quire
