// Spans reach the collector, in as many requests as needed; one that is away costs spans, counted,
// and nobody waits.
#include "apps/traces/span_exporter.h"

#include <gtest/gtest.h>

#include <array>

#include "base/json.h"
#include "net/testing/fault_server.h"

namespace quire {
namespace {

using net::testing::FaultServer;
using net::testing::ServerReply;
using net::testing::ServerRequest;

std::vector<TraceSpan> spans(std::size_t count) { return std::vector<TraceSpan>(count); }

struct Fates {
  std::array<std::atomic<std::size_t>, 3> counts{};
  std::size_t of(SpanFate fate) const { return counts[static_cast<std::size_t>(fate)]; }
  auto callback() {
    return [this](SpanFate fate, std::size_t count) {
      counts[static_cast<std::size_t>(fate)] += count;
    };
  }
};

SpanExporterOptions options_for(const std::string& url) {
  SpanExporterOptions options{.url = url + "/v1/traces", .headers = {"api-key: secret"},
                              .resource = {{"service.name", "quire"}}};
  options.delay = std::chrono::milliseconds(0);
  options.limits.backoff_first = std::chrono::milliseconds(1);
  return options;
}

std::size_t spans_in(const ServerRequest& request) {
  const auto body = parse_json(request.body);
  if (!body.is_ok()) return 0;
  const Json& group = body->find("resourceSpans")->items().front();
  return group.find("scopeSpans")->items().front().find("spans")->items().size();
}

TEST(SpanExporter, WhatIsTakenIsSentBeforeItEnds) {
  FaultServer collector([](const ServerRequest&) { return ServerReply{.body = "{}"}; });
  Fates fates;
  {
    SpanExporter exporter(options_for(collector.url()));
    exporter.on_fate(fates.callback());
    for (int i = 0; i < 100; ++i) exporter.take(spans(7));
  }
  std::size_t arrived = 0;
  for (const ServerRequest& request : collector.requests()) {
    EXPECT_EQ(request.target, "/v1/traces");
    EXPECT_EQ(request.header("content-type"), "application/json");
    EXPECT_EQ(request.header("api-key"), "secret");
    EXPECT_LE(spans_in(request), SpanExporter::kBatchMax);
    arrived += spans_in(request);
  }
  EXPECT_EQ(arrived, 700U);
  EXPECT_EQ(fates.of(SpanFate::kSent), 700U);
}

TEST(SpanExporter, ACollectorThatIsBusyIsAskedAgain) {
  std::atomic<int> asked{0};
  FaultServer collector([&](const ServerRequest&) {
    return ServerReply{.status = ++asked == 1 ? 503 : 200, .body = "{}"};
  });
  Fates fates;
  {
    SpanExporter exporter(options_for(collector.url()));
    exporter.on_fate(fates.callback());
    exporter.take(spans(1));
    while (fates.of(SpanFate::kSent) + fates.of(SpanFate::kDropped) == 0) {
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(fates.of(SpanFate::kDropped), 0U);
}

TEST(SpanExporter, WhatIsRefusedIsNotSentAgain) {
  FaultServer collector([](const ServerRequest&) { return ServerReply{.status = 400}; });
  Fates fates;
  {
    SpanExporter exporter(options_for(collector.url()));
    exporter.on_fate(fates.callback());
    exporter.take(spans(3));
  }
  EXPECT_EQ(collector.requests().size(), 1U);
  EXPECT_EQ(fates.of(SpanFate::kRefused), 3U);
}

TEST(SpanExporter, WithoutACollectorSpansAreDroppedAndCounted) {
  FaultServer collector([](const ServerRequest&) { return ServerReply{.status = 0}; });
  Fates fates;
  {
    SpanExporter exporter(options_for(collector.url()));
    exporter.on_fate(fates.callback());
    exporter.take(spans(5));
  }
  EXPECT_EQ(fates.of(SpanFate::kDropped), 5U);
}

TEST(SpanExporter, MoreThanItHoldsIsDroppedAtOnce) {
  std::atomic<bool> may_answer{false};
  FaultServer collector([&](const ServerRequest&) {
    while (!may_answer) std::this_thread::yield();
    return ServerReply{.body = "{}"};
  });
  Fates fates;
  {
    SpanExporter exporter(options_for(collector.url()));
    exporter.on_fate(fates.callback());
    constexpr std::size_t kMany = SpanExporter::kQueueMax + SpanExporter::kBatchMax;
    exporter.take(spans(kMany + 100));  // one batch of them may be under way already
    EXPECT_GE(fates.of(SpanFate::kDropped), 100U);
    may_answer = true;
  }
  EXPECT_EQ(fates.of(SpanFate::kDropped) + fates.of(SpanFate::kSent),
            SpanExporter::kQueueMax + SpanExporter::kBatchMax + 100);
}

}  // namespace
}  // namespace quire
