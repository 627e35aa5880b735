// The body of an OTLP/HTTP export: spans of one service as JSON (opentelemetry-proto, JSON Protobuf
// Encoding: ids in hexadecimal, 64-bit integers as text).
// Pure; any thread. Used by the exporter.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serve/trace/trace_span.h"

namespace quire {

// What the spans are of: {"service.name", "quire"}, ...
using SpanResource = std::vector<std::pair<std::string, std::string>>;

std::string otlp_body(const SpanResource& resource, std::span<const TraceSpan> spans);

}  // namespace quire
