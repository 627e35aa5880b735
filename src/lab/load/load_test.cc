// The load generator against a server of a few canned answers: what it sends, when, and what it
// makes of streams, refusals and silence.
#include "lab/load/load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "net/testing/fault_server.h"

namespace quire {
namespace {

using net::testing::FaultServer;
using net::testing::ServerReply;
using net::testing::ServerRequest;

constexpr std::string_view kModels = R"({"data": [{"id": "toy"}, {"id": "other"}]})";
const std::string kStream =
    "data: {\"choices\": [{\"text\": \"one\"}]}\n\n"
    "data: {\"choices\": [{\"text\": \"\", \"finish_reason\": \"length\"}]}\n\n"
    "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 9, \"completion_tokens\": 5, "
    "\"prompt_tokens_details\": {\"cached_tokens\": 4}}}\n\n"
    "data: [DONE]\n\n";

WorkloadOptions small_workload() {
  WorkloadOptions workload = *named_workload("mixed");
  workload.requests = 7;
  workload.clients = 3;
  return workload;
}

TEST(LoadTest, SendsEveryRequestAndReadsItsStream) {
  FaultServer server([](const ServerRequest& request) -> ServerReply {
    if (request.target == "/v1/models") return {.body = std::string(kModels)};
    EXPECT_EQ(request.target, "/v1/completions");
    return {.body = kStream};
  });
  const auto result = run_load({.url = server.url()}, small_workload());
  ASSERT_TRUE(result.is_ok()) << result.status().message();
  EXPECT_EQ(result->model, "toy");
  EXPECT_TRUE(result->is_ignoring_eos);
  ASSERT_EQ(result->records.size(), 7u);
  for (const LoadRecord& record : result->records) {
    EXPECT_EQ(record.error, "");
    EXPECT_EQ(record.prompt_tokens, 9);
    EXPECT_EQ(record.cached_tokens, 4);
    EXPECT_EQ(record.generated_tokens, 5);
    EXPECT_GT(record.first_at, record.sent_at);
    EXPECT_TRUE(record.gaps.empty());
  }
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1u + 1u + 7u);  // the list of models, a first word, the workload
  EXPECT_NE(requests.back().body.find("\"ignore_eos\":true"), std::string::npos);
}

TEST(LoadTest, ClientsWaitForTheirAnswersAndAnOpenLoopDoesNot) {
  std::atomic<int> answering = 0, answering_max = 0;
  FaultServer server([&](const ServerRequest& request) -> ServerReply {
    if (request.target == "/v1/models") return {.body = std::string(kModels)};
    const int now = ++answering;
    for (int most = answering_max; most < now;) answering_max.compare_exchange_weak(most, now);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    --answering;
    return {.body = kStream};
  });
  WorkloadOptions workload = small_workload();
  ASSERT_TRUE(run_load({.url = server.url()}, workload).is_ok());
  EXPECT_EQ(answering_max, 3);
  workload.rate = 10000;
  ASSERT_TRUE(run_load({.url = server.url()}, workload).is_ok());
  EXPECT_GT(answering_max, 3);
}

TEST(LoadTest, ReportsRefusalsAndFallsBackWithoutIgnoreEos) {
  FaultServer server([](const ServerRequest& request) -> ServerReply {
    const auto has = [&](const char* part) { return request.body.find(part) != std::string::npos; };
    if (request.target == "/v1/models") return {.body = std::string(kModels)};
    if (has("ignore_eos")) return {.status = 400, .body = "unknown field"};
    if (has("\"max_tokens\":2,")) return {.body = kStream};
    return {.status = 429, .body = "come back later"};
  });
  WorkloadOptions workload = small_workload();
  workload.tokens_min = 100;
  const auto result = run_load({.url = server.url()}, workload);
  ASSERT_TRUE(result.is_ok()) << result.status().message();
  EXPECT_FALSE(result->is_ignoring_eos);
  for (const LoadRecord& record : result->records) {
    EXPECT_EQ(record.error, "HTTP 429: come back later");
  }
}

TEST(LoadTest, ASilentHostIsAnError) {
  const auto result = run_load({.url = "http://127.0.0.1:1"}, small_workload());
  ASSERT_FALSE(result.is_ok());
  EXPECT_EQ(result.status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace quire
