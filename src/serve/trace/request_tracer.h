// RequestTracer: makes spans of a request that has ended: one of the kind SERVER with attributes of
// OpenTelemetry's conventions for generative AI (and the older names that vLLM's dashboards ask
// for), whose parent is the traceparent that the client sent, and beneath it what the engine did:
// queue, prefill, decode. Requests that no engine has had leave none.
// I/O thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "serve/status/request_record.h"
#include "serve/trace/trace_span.h"
#include "serve/trace/trace_sampling.h"

namespace quire {

class RequestTracer {
 public:
  static constexpr std::size_t kPhasesMax = 32;  // spans beneath that of a request

  // `draw`: 64 random bits.
  RequestTracer(SpanSink& sink, TraceSampling sampling, std::function<std::uint64_t()> draw);

  // It has just ended; `now_ns`: since 1970.
  void take(const RequestRecord& record, std::int64_t now_ns);

 private:
  std::string draw_id(int words);  // of so many 64-bit words, not all zero

  SpanSink* sink_;
  TraceSampling sampling_;
  std::function<std::uint64_t()> draw_;
};

}  // namespace quire
