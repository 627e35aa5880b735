// What a record keeps of a request for whoever tells of its trace: where the client says that it
// belongs, and what was asked for.
// Pure; any thread. Used by service.
#pragma once

#include "serve/call.h"
#include "serve/http/message.h"
#include "serve/status/request_record.h"

namespace quire {

TraceOrigin trace_of(const http::Request& request);

// Of its first request: the others are its like. REQUIRES: there is one.
AskedSampling asked_of(const Call& call);

}  // namespace quire
