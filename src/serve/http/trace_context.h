// The header traceparent (W3C Trace Context): which trace of its client's a request belongs to, so
// that our log and /debug/requests can be found from there. No spans are made of it.
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

// Empty: the request has no such header, several, or one that is none.
std::string trace_id_of(const Request& request);

}  // namespace quire::http
