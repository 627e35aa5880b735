// POST /v1/responses/compact: a conversation made short. The model writes a summary of it, which
// comes back sealed, behind the user's own messages; sent as items of a later request, the summary
// stands in the place of what it is about.
// Worker threads; the writer: I/O thread. Used by endpoints.
#pragma once

#include "serve/call.h"
#include "serve/dialects/openai/responses/request.h"

namespace quire {

// With `asked.history` and `asked.input` as they are to be summed up.
Parsed<Call> compact_call(const DialectContext& context, ResponsesRequest asked);

}  // namespace quire
