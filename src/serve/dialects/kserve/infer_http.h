// POST /v2/models/{model}[/versions/{version}]/infer: one inference over HTTP: JSON or binary
// tensors in, the same out.
// Worker threads; the answer on the I/O thread. Used by kserve.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_kserve_infer(const DialectContext& context, const http::Request& request);

}  // namespace quire
