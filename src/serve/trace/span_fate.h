// SpanFate: what became of a span that was to be told, as whoever sends spans says and /metrics
// counts (quire_trace_spans_total).
// Any thread.
#pragma once

#include <cstdint>

namespace quire {

enum class SpanFate : std::uint8_t {
  kSent,
  kRefused,  // by the collector
  kDropped   // the collector was away, or slower than the requests
};

}  // namespace quire
