#include "serve/status/accepted_call.h"

#include "base/clock.h"
#include "serve/http/trace_context.h"

namespace quire {
namespace {

TraceOrigin trace_of(const http::Request& request) {
  const auto parent = http::trace_parent_of(request);
  if (!parent) return {};
  return {.trace_id = parent->trace_id, .parent_id = parent->parent_id,
          .state = http::trace_state_of(request), .is_sampled = parent->is_sampled};
}

// Of its first request: the others are its like.
AskedSampling asked_of(const Call& call) {
  if (call.requests.empty()) return {};
  const Request& request = call.requests.front();
  const SamplingParams& params = request.params;
  return {.is_stream = call.is_stream, .is_pooled = request.is_pooled,
          .tokens_max = params.tokens_max, .temperature = params.temperature,
          .top_p = params.top_p, .frequency_penalty = params.frequency_penalty,
          .presence_penalty = params.presence_penalty, .top_k = params.top_k};
}

}  // namespace

AcceptedRequest accepted_call(const Call& call, const http::Request& request, Nanos arrived) {
  const std::string_view id = call.writer->id();
  AcceptedRequest accepted{.model = call.model->name(),
                           .endpoint = request.path,
                           .id = std::string(id.empty() ? request.id : id),
                           .request_id = request.id,
                           .trace = trace_of(request),
                           .asked = asked_of(call),
                           .created = SteadyClock::unix_seconds(),
                           .at = arrived};
  for (const Request& made : call.requests) {
    accepted.prompt_tokens.push_back(static_cast<std::uint32_t>(made.prompt.size()));
    accepted.choices_each = static_cast<std::uint32_t>(made.n);
  }
  return accepted;
}

}  // namespace quire
