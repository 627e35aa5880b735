// The headers traceparent and tracestate (W3C Trace Context): which trace of its client's a request
// belongs to, so that our log, /debug/requests and our spans (serve/trace) can be found from there.
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace quire::http {

struct TraceParent {
  std::string trace_id;   // 32 hexadecimal digits, in lower case
  std::string parent_id;  // 16 of them
  bool is_sampled = false;
};

// Nothing: it is none, and counts as absent.
std::optional<TraceParent> parse_traceparent(std::string_view text);

// Nothing: the request has no such header, several, or one that is none.
std::optional<TraceParent> trace_parent_of(const Request& request);

// The header tracestate, of several the whole; empty: there is none, or one that is none.
std::string trace_state_of(const Request& request);

}  // namespace quire::http
