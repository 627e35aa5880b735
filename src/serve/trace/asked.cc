#include "serve/trace/asked.h"

#include "serve/http/trace_context.h"

namespace quire {

TraceOrigin trace_of(const http::Request& request) {
  const auto parent = http::trace_parent_of(request);
  if (!parent) return {};
  return {.trace_id = parent->trace_id, .parent_id = parent->parent_id,
          .state = http::trace_state_of(request), .is_sampled = parent->is_sampled};
}

AskedSampling asked_of(const Call& call) {
  const Request& request = call.requests.front();
  const SamplingParams& params = request.params;
  return {.is_stream = call.is_stream, .is_pooled = request.is_pooled,
          .tokens_max = params.tokens_max, .temperature = params.temperature,
          .top_p = params.top_p, .frequency_penalty = params.frequency_penalty,
          .presence_penalty = params.presence_penalty, .top_k = params.top_k};
}

}  // namespace quire
