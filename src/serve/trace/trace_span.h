// TraceSpan: one piece of work as OpenTelemetry tells it, and SpanSink: where spans go. A plain
// value; its attributes are booleans, numbers, texts and lists of texts.
// Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "serve/trace/span_fate.h"

namespace quire {

enum class SpanKind : std::uint8_t { kInternal = 1, kServer = 2 };  // numbers of the protocol

struct TraceSpan {
  std::string trace_id;    // 32 hexadecimal digits, in lower case
  std::string span_id;     // 16 of them
  std::string parent_id;   // likewise; empty: it is the trace's first
  std::string trace_state;  // as the client sent it
  std::string name;
  SpanKind kind = SpanKind::kInternal;
  std::int64_t begin_ns = 0, end_ns = 0;  // since 1970
  std::vector<std::pair<std::string, Json>> attributes;
  std::string failure;  // empty: it went well
};

class SpanSink {
 public:
  virtual ~SpanSink() = default;
  // The spans of one request. Never waits: what there is no room for is dropped and counted.
  virtual void take(std::vector<TraceSpan> spans) = 0;
  // Is told what became of them, on any thread, from now on. Before the first take().
  virtual void on_fate(std::function<void(SpanFate, std::size_t)> callback) = 0;
};

}  // namespace quire
