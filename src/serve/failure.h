// What an answer that the engine broke off says to its client: the status, the type and the code of
// each reason. A client that asked for too little, or long enough, is no failure.
// Pure; any thread. Used by service.
#pragma once

#include "core/events.h"
#include "serve/intake/api_error.h"

namespace quire {

bool is_failure(FinishReason reason);

// Of an event whose `finish` is one.
ApiError failure_of(const TokenEvent& event);

}  // namespace quire
