// Where traces go and which are told: --otlp-traces-endpoint and the variables that every program
// with OpenTelemetry knows: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT and
// their _HEADERS, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and _ARG,
// OTEL_TRACES_EXPORTER, OTEL_SDK_DISABLED. A flag overrules them. What is set and does nothing here
// is said.
// Main thread. Used by serve.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/traces/span_exporter.h"
#include "base/status.h"
#include "serve/trace/trace_sampling.h"

namespace quire {

// Of the command line; empty: not given.
struct TraceArguments {
  std::string endpoint;      // --otlp-traces-endpoint
  std::string service_name;  // --otlp-service-name
};

struct TraceSetup {
  std::optional<SpanExporterOptions> exporter;  // nothing: no traces are told
  TraceSampling sampling;
  std::vector<std::string> said;  // a sentence each, for the log
};

// `value`: what a variable is set to. Errors name the flag or the variable.
Result<TraceSetup> read_trace_setup(
    const TraceArguments& arguments,
    const std::function<std::optional<std::string>(const std::string& name)>& value);

}  // namespace quire
