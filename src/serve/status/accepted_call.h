// What is kept of a call for whoever tells of it afterwards (/debug/requests, traces): by what it
// can be found, where its client says that it belongs, and what was asked for.
// Pure but for the clock that tells the day; I/O thread. Used by service.
#pragma once

#include "base/nanos.h"
#include "serve/call.h"
#include "serve/http/message.h"
#include "serve/status/request_record.h"

namespace quire {

// But for the engine's ids of its requests, and where its prompt comes from. A call whose protocol
// gives its answer no id has that of the request.
AcceptedRequest accepted_call(const Call& call, const http::Request& request, Nanos arrived);

}  // namespace quire
