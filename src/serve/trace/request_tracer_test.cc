// What is told of a request that has ended: its place in the client's trace, what was asked and
// what came, with the types that the conventions want; and which traces are told.
#include "serve/trace/request_tracer.h"

#include <gtest/gtest.h>

#include <map>

#include "serve/trace/otlp_json.h"

namespace quire {
namespace {

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kParent = "b7ad6b7169203331";

struct Kept final : SpanSink {
  void take(std::vector<TraceSpan> given) override {
    spans.insert(spans.end(), given.begin(), given.end());
  }
  void on_fate(std::function<void(SpanFate, std::size_t)>) override {}
  std::vector<TraceSpan> spans;
};

Json attribute(const TraceSpan& span, std::string_view key) {
  for (const auto& [name, value] : span.attributes) {
    if (name == key) return value;
  }
  return Json();
}

// One prompt of 7 tokens that waited 1 ms, was read in 2 and answered in 4 tokens of 1 ms each.
RequestRecord record_of(TraceOrigin origin, FinishReason finish = FinishReason::kLength) {
  const auto ms = [](int count) { return Nanos(std::chrono::milliseconds(count)); };
  AcceptedRequest accepted{.model = "m", .endpoint = "/v1/chat/completions", .id = "chatcmpl-1",
                           .request_id = "r-1", .trace = std::move(origin), .created = 1,
                           .at = ms(100)};
  accepted.asked.tokens_max = 4;
  accepted.asked.is_stream = true;
  accepted.requests = {RequestId{1}};
  accepted.prompt_tokens = {7};
  RequestRecord record(1, std::move(accepted));
  const std::uint64_t company[] = {1};
  RowFact row{.of = {RequestId{1}, 0}, .first_position = 0, .tokens = 7};
  row.is_admission = true;
  row.generated = 1;
  record.take(0, row, {.step = 1, .begin = ms(101), .end = ms(103), .company = company});
  TokenEvent event{.request = RequestId{1}};
  event.accepted.resize(1);
  record.take(0, event, ms(103));
  for (int i = 0; i < 3; ++i) {
    RowFact next{.of = {RequestId{1}, 0}, .tokens = 1};
    next.first_position = static_cast<std::uint32_t>(7 + i);
    next.is_decode = true;
    next.generated = 1;
    record.take(0, next, {.step = static_cast<StepId>(2 + i), .begin = ms(103 + i),
                          .end = ms(104 + i), .company = company});
    event.finish = i == 2 ? finish : FinishReason::kNone;
    record.take(0, event, ms(104 + i));
  }
  return record;
}

std::vector<TraceSpan> spans_of(const RequestRecord& record, TraceSampling sampling = {}) {
  Kept kept;
  RequestTracer tracer(kept, sampling, [count = std::uint64_t{0}]() mutable { return ++count; });
  tracer.take(record, 1'000'000'000'000'000'000);
  return kept.spans;
}

TEST(RequestTracer, ASpanHasTheParentThatWasGiven) {
  const auto spans = spans_of(record_of({kTrace, kParent, "a=b"}));
  ASSERT_EQ(spans.size(), 4U);
  EXPECT_EQ(spans[0].trace_id, kTrace);
  EXPECT_EQ(spans[0].parent_id, kParent);
  EXPECT_EQ(spans[0].trace_state, "a=b");
  EXPECT_EQ(spans[0].kind, SpanKind::kServer);
  EXPECT_EQ(spans[0].name, "chat m");
  EXPECT_EQ(spans[0].end_ns, 1'000'000'000'000'000'000);
  EXPECT_EQ(spans[0].end_ns - spans[0].begin_ns, 6'000'000);
  const std::string names[] = {"queue", "prefill", "decode"};
  const std::int64_t begins[] = {0, 1'000'000, 3'000'000};
  for (std::size_t i = 0; i < 3; ++i) {
    const TraceSpan& phase = spans[i + 1];
    EXPECT_EQ(phase.name, names[i]);
    EXPECT_EQ(phase.trace_id, kTrace);
    EXPECT_EQ(phase.parent_id, spans[0].span_id);
    EXPECT_EQ(phase.begin_ns - spans[0].begin_ns, begins[i]) << phase.name;
    EXPECT_NE(phase.span_id, spans[0].span_id);
  }
  EXPECT_EQ(spans[3].end_ns, spans[0].end_ns);
}

TEST(RequestTracer, AttributesHaveTheTypesOfTheConventions) {
  const TraceSpan span = spans_of(record_of({kTrace, kParent, ""})).front();
  EXPECT_EQ(attribute(span, "gen_ai.operation.name"), Json("chat"));
  EXPECT_EQ(attribute(span, "gen_ai.request.model"), Json("m"));
  EXPECT_EQ(attribute(span, "gen_ai.response.id"), Json("chatcmpl-1"));
  EXPECT_EQ(attribute(span, "gen_ai.request.id"), Json("r-1"));
  EXPECT_EQ(attribute(span, "gen_ai.request.max_tokens"), Json(4));
  EXPECT_EQ(attribute(span, "gen_ai.request.stream"), Json(true));
  EXPECT_EQ(attribute(span, "gen_ai.request.temperature").kind(), Json::Kind::kDouble);
  EXPECT_EQ(attribute(span, "gen_ai.request.choice.count"), Json()) << "only if it is not 1";
  EXPECT_EQ(attribute(span, "gen_ai.response.finish_reasons"), Json::array({"length"}));
  EXPECT_EQ(attribute(span, "gen_ai.usage.input_tokens"), Json(7));
  EXPECT_EQ(attribute(span, "gen_ai.usage.output_tokens"), Json(4));
  EXPECT_EQ(attribute(span, "gen_ai.usage.completion_tokens"), Json(4));
  EXPECT_DOUBLE_EQ(attribute(span, "gen_ai.latency.time_in_queue").as_double(), 0.001);
  EXPECT_DOUBLE_EQ(attribute(span, "gen_ai.latency.time_to_first_token").as_double(), 0.003);
  EXPECT_DOUBLE_EQ(attribute(span, "gen_ai.latency.time_in_model_decode").as_double(), 0.003);
  EXPECT_DOUBLE_EQ(attribute(span, "gen_ai.latency.e2e").as_double(), 0.006);
  EXPECT_EQ(attribute(span, "error.type"), Json());
  EXPECT_EQ(span.failure, "");
}

TEST(RequestTracer, AClientThatLeftIsAFailure) {
  const TraceSpan span = spans_of(record_of({}, FinishReason::kCancelled)).front();
  EXPECT_EQ(attribute(span, "error.type"), Json("cancelled"));
  EXPECT_EQ(span.failure, "cancelled");
}

TEST(RequestTracer, WithoutATraceOneBegins) {
  const TraceSpan span = spans_of(record_of({})).front();
  EXPECT_EQ(span.trace_id, "00000000000000010000000000000002");
  EXPECT_EQ(span.span_id, "0000000000000003");
  EXPECT_EQ(span.parent_id, "");
}

TEST(RequestTracer, TheSampledBitIsHeededUnlessTheOperatorSaysOtherwise) {
  const RequestRecord not_sampled = record_of({kTrace, kParent, "", false});
  const RequestRecord sampled = record_of({kTrace, kParent, "", true});
  const RequestRecord none = record_of({});
  EXPECT_TRUE(spans_of(not_sampled).empty());
  EXPECT_FALSE(spans_of(not_sampled, {.heeds_parent = false}).empty());
  EXPECT_FALSE(spans_of(sampled, {.share = 0}).empty());
  EXPECT_TRUE(spans_of(none, {.share = 0}).empty());
  EXPECT_TRUE(spans_of(sampled, {.heeds_parent = false, .share = 0}).empty());
  // Its lower half is 0x8448... of 2^64: a little more than a half.
  EXPECT_TRUE(spans_of(sampled, {.heeds_parent = false, .share = 0.51}).empty());
  EXPECT_FALSE(spans_of(sampled, {.heeds_parent = false, .share = 0.52}).empty());
}

TEST(OtlpJson, IdsAreHexadecimalAndLongNumbersAreText) {
  const auto spans = spans_of(record_of({kTrace, kParent, "a=b"}));
  const auto body = parse_json(otlp_body({{"service.name", "quire"}}, spans));
  ASSERT_TRUE(body.is_ok());
  const Json& group = body->find("resourceSpans")->items().front();
  EXPECT_EQ(dump(*group.find("resource")),
            R"({"attributes":[{"key":"service.name","value":{"stringValue":"quire"}}]})");
  const Json& first = group.find("scopeSpans")->items().front().find("spans")->items().front();
  EXPECT_EQ(first.find("traceId")->as_string(), kTrace);
  EXPECT_EQ(first.find("parentSpanId")->as_string(), kParent);
  EXPECT_EQ(first.find("traceState")->as_string(), "a=b");
  EXPECT_EQ(*first.find("kind"), Json(2));
  EXPECT_EQ(*first.find("endTimeUnixNano"), Json("1000000000000000000"));
  std::map<std::string, std::string> values;
  for (const Json& item : first.find("attributes")->items()) {
    values[item.find("key")->as_string()] = dump(*item.find("value"));
  }
  EXPECT_EQ(values["gen_ai.usage.input_tokens"], R"({"intValue":"7"})");
  EXPECT_EQ(values["gen_ai.request.stream"], R"({"boolValue":true})");
  EXPECT_EQ(values["gen_ai.response.finish_reasons"],
            R"({"arrayValue":{"values":[{"stringValue":"length"}]}})");
  EXPECT_EQ(values["gen_ai.latency.e2e"], R"({"doubleValue":0.006})");
}

}  // namespace
}  // namespace quire
