#include "serve/trace/request_tracer.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "serve/failure.h"

namespace quire {
namespace {

constexpr int kTraceWords = 2, kSpanWords = 1;

// As the conventions name what a path is for.
std::string_view operation_of(const AcceptedRequest& accepted) {
  if (accepted.asked.is_pooled) return "embeddings";
  constexpr std::string_view kChats[] = {"/chat", "/messages", "/responses"};
  const bool is_chat = std::any_of(std::begin(kChats), std::end(kChats), [&](auto part) {
    return accepted.endpoint.find(part) != std::string::npos;
  });
  return is_chat ? "chat" : "text_completion";
}

// By share, the same for every server that sees the trace: the lower half of its id decides.
bool is_drawn(std::string_view trace_id, double share) {
  std::uint64_t low = 0;
  for (const char c : trace_id.substr(trace_id.size() / 2)) {
    low = low * 16 + static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  constexpr double kHalfRange = 9223372036854775808.0;  // 2^63
  return static_cast<double>(low >> 1) < share * kHalfRange;
}

Json finish_reasons(std::span<const RequestEvent> events) {
  std::vector<std::pair<std::uint32_t, std::string_view>> reasons;  // by choice
  for (const RequestEvent& event : events) {
    const bool is_end = event.kind == RequestEventKind::kFinished ||
                        event.kind == RequestEventKind::kCancelled;
    if (is_end) reasons.emplace_back(event.choice, finish_reason_name(event.reason));
  }
  std::sort(reasons.begin(), reasons.end());
  Json out = Json::array();
  for (const auto& [choice, reason] : reasons) out.push(reason);
  return out;
}

Nanos time_in(std::span<const RequestEvent> events, RequestEventKind kind) {
  Nanos sum{0};
  for (const RequestEvent& event : events) {
    if (event.kind == kind && event.choice == 0) sum += event.time;
  }
  return sum;
}

void add_sampling(const RequestRecord& record, TraceSpan& span) {
  const AskedSampling& asked = record.accepted().asked;
  const auto add = [&](const char* key, Json value) {
    span.attributes.emplace_back(key, std::move(value));
  };
  if (asked.is_pooled) return;
  add("gen_ai.request.max_tokens", asked.tokens_max);
  add("gen_ai.request.temperature", asked.temperature);
  add("gen_ai.request.top_p", asked.top_p);
  if (asked.top_k > 0) add("gen_ai.request.top_k", static_cast<double>(asked.top_k));
  add("gen_ai.request.frequency_penalty", asked.frequency_penalty);
  add("gen_ai.request.presence_penalty", asked.presence_penalty);
  add("gen_ai.request.n", record.accepted().choices_each);
  if (record.choices() != 1) add("gen_ai.request.choice.count", record.choices());
  if (asked.is_stream) add("gen_ai.request.stream", true);
}

void add_result(const RequestRecord& record, std::span<const RequestEvent> events,
                TraceSpan& span) {
  const auto add = [&](const char* key, Json value) {
    span.attributes.emplace_back(key, std::move(value));
  };
  add("gen_ai.response.finish_reasons", finish_reasons(events));
  add("gen_ai.usage.input_tokens", record.prompt_tokens());
  add("gen_ai.usage.output_tokens", record.generated_tokens());
  add("gen_ai.usage.cache_read.input_tokens", record.cached_tokens());
  add("gen_ai.usage.prompt_tokens", record.prompt_tokens());
  add("gen_ai.usage.completion_tokens", record.generated_tokens());
  add("gen_ai.usage.num_sequences", record.choices());
  const double first = to_seconds(record.first_token_after());
  if (first > 0) {
    add("gen_ai.response.time_to_first_chunk", first);
    add("gen_ai.latency.time_to_first_token", first);
  }
  add("gen_ai.latency.time_in_queue", to_seconds(time_in(events, RequestEventKind::kQueued)));
  const double prefill = to_seconds(time_in(events, RequestEventKind::kPrefill));
  const double decode = to_seconds(time_in(events, RequestEventKind::kDecode));
  add("gen_ai.latency.time_in_model_prefill", prefill);
  add("gen_ai.latency.time_in_model_decode", decode);
  add("gen_ai.latency.time_in_model_inference", prefill + decode);
  add("gen_ai.latency.e2e", to_seconds(record.total()));
}

std::string_view phase_name(RequestEventKind kind) {
  switch (kind) {
    case RequestEventKind::kQueued: return "queue";
    case RequestEventKind::kPrefill: return "prefill";
    case RequestEventKind::kDecode: return "decode";
    default: return {};
  }
}

}  // namespace

RequestTracer::RequestTracer(SpanSink& sink, TraceSampling sampling,
                             std::function<std::uint64_t()> draw)
    : sink_(&sink), sampling_(sampling), draw_(std::move(draw)) {}

std::string RequestTracer::draw_id(int words) {
  for (;;) {
    std::string id;
    std::uint64_t seen = 0;
    for (int i = 0; i < words; ++i) {
      const std::uint64_t word = draw_();
      seen |= word;
      id += fmt::format("{:016x}", word);
    }
    if (seen != 0) return id;
  }
}

void RequestTracer::take(const RequestRecord& record, std::int64_t now_ns) {
  const AcceptedRequest& accepted = record.accepted();
  const TraceOrigin& origin = accepted.trace;
  TraceSpan whole{.trace_id = origin.trace_id, .parent_id = origin.parent_id,
             .trace_state = origin.state};
  if (whole.trace_id.empty()) whole.trace_id = draw_id(kTraceWords);
  const bool has_decided = sampling_.heeds_parent && !origin.trace_id.empty();
  if (has_decided ? !origin.is_sampled : !is_drawn(whole.trace_id, sampling_.share)) return;

  const std::string_view operation = operation_of(accepted);
  const std::vector<RequestEvent> events = record.events(record.total());
  whole.span_id = draw_id(kSpanWords);
  whole.name = fmt::format("{} {}", operation, accepted.model);
  whole.kind = SpanKind::kServer;
  whole.end_ns = now_ns;
  whole.begin_ns = now_ns - record.total().count();
  whole.attributes = {{"gen_ai.operation.name", operation},
                      {"gen_ai.provider.name", "quire"},
                      {"gen_ai.request.model", accepted.model},
                      {"gen_ai.response.model", accepted.model},
                      {"gen_ai.request.id", accepted.request_id},
                      {"url.path", accepted.endpoint}};
  if (!accepted.id.empty()) whole.attributes.emplace_back("gen_ai.response.id", accepted.id);
  add_sampling(record, whole);
  add_result(record, events, whole);
  if (is_failure(record.finish_reason())) {
    whole.failure = finish_reason_name(record.finish_reason());
    whole.attributes.emplace_back("error.type", whole.failure);
  }

  std::vector<TraceSpan> spans = {whole};
  for (const RequestEvent& event : events) {
    const std::string_view name = phase_name(event.kind);
    if (name.empty() || spans.size() > kPhasesMax) continue;
    TraceSpan& phase = spans.emplace_back();
    phase.trace_id = whole.trace_id;
    phase.span_id = draw_id(kSpanWords);
    phase.parent_id = whole.span_id;
    phase.trace_state = whole.trace_state;
    phase.name = name;
    phase.begin_ns = whole.begin_ns + event.at.count();
    phase.end_ns = phase.begin_ns + event.time.count();
    if (record.choices() > 1) phase.attributes.emplace_back("quire.choice", event.choice);
    if (event.kind == RequestEventKind::kQueued) continue;
    phase.attributes.emplace_back("quire.steps", event.steps);
    phase.attributes.emplace_back("quire.tokens", event.tokens);
    phase.attributes.emplace_back("quire.generated", event.generated);
    phase.attributes.emplace_back("quire.cached", event.cached);
  }
  sink_->take(std::move(spans));
}

}  // namespace quire
