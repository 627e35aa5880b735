// Dynamic batching over real sockets: batches, levels and timeouts as KServe's clients ask for
// them, and what others who share the model are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "base/json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kHour = 3'600'000'000;  // microseconds
constexpr const char* kPath = "/v2/models/m/generate";

std::string ask(const std::string& more = "") {
  return R"({"text_input":"abc","max_tokens":1)" + more + "}";
}

// Clients whose requests have been accepted one after the other.
class Crowd {
 public:
  explicit Crowd(const TestServer& server) : server_(&server) {}
  TestClient& add(const std::string& body) {
    TestClient& client = clients_.emplace_back(server_->client());
    client.send(post_bytes(kPath, body));
    server_->wait_for_metric("quire_requests_total{outcome=\"accepted\"}",
                             static_cast<double>(clients_.size()));
    return client;
  }

 private:
  const TestServer* server_;
  std::deque<TestClient> clients_;
};

TEST(KserveBatchingTest, APreferredBatchIsOneStep) {
  TestServer server({}, {.batching = {.preferred = {3}, .delay_us_max = kHour}});
  server.gate().close();
  Crowd crowd(server);
  TestClient& first = crowd.add(ask());
  TestClient& second = crowd.add(ask());
  server.wait_for_metric("quire_requests_waiting", 2);
  TestClient& third = crowd.add(ask());
  server.gate().let_pass(1);
  for (TestClient* client : {&first, &second, &third}) EXPECT_EQ(client->receive().status, 200);
  server.gate().open();
}

TEST(KserveBatchingTest, LevelsAreServedInTheirOrder) {
  TestServer server({}, {.rows_max = 1, .batching = {.levels = 3, .default_level = 2}});
  server.gate().close();
  Crowd crowd(server);
  TestClient& first = crowd.add(R"({"text_input":"abc","max_tokens":2})");
  server.gate().let_pass(1);
  server.wait_for_metric("quire_requests_running", 1);  // now all others have to wait
  TestClient& last = crowd.add(ask(R"(,"parameters":{"priority":3})"));
  TestClient& middle = crowd.add(ask(R"(,"parameters":{"priority":0})"));
  TestClient& unknown = crowd.add(ask(R"(,"parameters":{"priority":9})"));
  TestClient& top = crowd.add(ask(R"(,"parameters":{"priority":1})"));
  for (TestClient* client : {&first, &top, &middle, &unknown, &last}) {
    server.gate().let_pass(1);  // whose step it is not hangs here
    EXPECT_EQ(client->receive().status, 200);
  }
  server.gate().open();
}

TEST(KserveBatchingTest, WhoWaitsTooLongIsToldAsTritonTellsIt) {
  TestServer server({}, {.batching = {.delay_us_max = kHour, .queue = {.timeout_us = 1000}}});
  const TestResponse told = server.client().post(kPath, ask());
  EXPECT_EQ(told.status, 503);
  EXPECT_EQ(told.body, R"({"error":"Request timeout expired"})");
  const auto stats = parse_json(server.client().get("/v2/models/m/stats").body);
  const Json& inner = *stats->find("model_stats")->items().at(0).find("inference_stats");
  EXPECT_EQ(inner.find("fail")->find("count")->as_int(), 1);
  EXPECT_GE(inner.find("fail")->find("ns")->as_int(), 1'000'000) << "as long as it waited";
  EXPECT_EQ(server.client().post("/v1/completions", R"({"model":"m","prompt":"a"})").status, 503)
      << "the queue is of all protocols";
}

TEST(KserveBatchingTest, ARequestsOwnTimeoutHoldsWhereItMay) {
  TestServer server({}, {.batching = {.delay_us_max = kHour,
                                          .queue = {.may_override = true}}});
  const TestResponse told =
      server.client().post(kPath, ask(R"(,"parameters":{"timeout":1000})"));
  EXPECT_EQ(told.status, 503);
  EXPECT_EQ(told.body, R"({"error":"Request timeout expired"})");
}

TEST(KserveBatchingTest, ATimeoutThatDoesNothingIsToldInTheAnswer) {
  TestServer server({}, {.batching = {.delay_us_max = 1}});
  const char* body = R"({"inputs":[{"name":"text_input","shape":[1,1],"datatype":"BYTES",)"
                     R"("data":["abc"]}],"parameters":{"max_tokens":1,"timeout":1}})";
  const TestResponse told = server.client().post("/v2/models/m/infer", body);
  EXPECT_EQ(told.status, 200) << told.body;
  EXPECT_THAT(told.body, HasSubstr(R"("quire_unknown_parameters":"timeout")"));
}

TEST(KserveBatchingTest, AFullQueueIsToldInTheShapeOfEachProtocol) {
  TestServer server({}, {.batching = {.preferred = {8}, .delay_us_max = kHour,
                                          .queue = {.size_max = 1}}});
  Crowd crowd(server);
  TestClient& first = crowd.add(ask());
  const TestResponse told = server.client().post(kPath, ask());
  EXPECT_EQ(told.status, 503);
  EXPECT_EQ(told.body, R"({"error":"Exceeds maximum queue size"})");
  const TestResponse other =
      server.client().post("/v1/completions", R"({"model":"m","prompt":"a"})");
  EXPECT_EQ(other.status, 429);
  EXPECT_THAT(other.body, HasSubstr("Exceeds maximum queue size"));
  server.request_stop();  // drains: who waits is served
  EXPECT_EQ(first.receive().status, 200);
}

std::string infer(int texts, const std::string& parameters = "") {
  Json data = Json::array();
  for (int i = 0; i < texts; ++i) data.push("abc");
  return R"({"inputs":[{"name":"text_input","datatype":"BYTES","shape":[)" +
         std::to_string(texts) + R"(,1],"data":)" + dump(data) +
         R"(}],"parameters":{"max_tokens":1)" + parameters + "}}";
}

std::string ask_logits(int rows, const std::string& parameters = "") {
  Json data = Json::array();
  for (int i = 0; i < rows * 3; ++i) data.push(65 + i);
  return R"({"inputs":[{"name":"input_ids","datatype":"INT32","shape":[)" + std::to_string(rows) +
         R"(,3],"data":)" + dump(data) + R"(}],"parameters":{)" + parameters + "}}";
}

TEST(KserveBatchingTest, TheTextsOfARequestAreLetIntoAQueueTogetherOrNotAtAll) {
  TestServer server({}, {.batching = {.preferred = {8}, .delay_us_max = kHour,
                                      .queue = {.size_max = 2}}});
  Crowd crowd(server);
  TestClient& first = crowd.add(ask());
  TestClient several = server.client();
  several.send(post_bytes(kInferPath, infer(3)));  // a request, whatever it has of texts
  server.wait_for_metric("quire_requests_waiting", 4);
  const TestResponse told = server.client().post(kInferPath, infer(2));
  EXPECT_EQ(told.status, 503);
  EXPECT_EQ(told.body, R"({"error":"Exceeds maximum queue size"})");
  EXPECT_EQ(server.metric("quire_requests_total{outcome=\"accepted\"}"), 4) << "none of the two";
  server.request_stop();
  EXPECT_EQ(first.receive().status, 200);
  EXPECT_EQ(several.receive().status, 200);
}

TEST(KserveBatchingTest, ARequestOfMoreTextsThanMayWaitIsRefusedAsAWhole) {
  TestServer server({}, {.queue_max = 3});
  server.gate().close();
  const TestResponse told = server.client().post(kInferPath, infer(4));
  EXPECT_EQ(told.status, 429);
  EXPECT_THAT(told.body, HasSubstr("at most 3 may, and 4 came together"));
  EXPECT_LE(server.metric("quire_requests_total{outcome=\"accepted\"}"), 0);
  server.gate().open();
  EXPECT_EQ(server.client().post(kInferPath, infer(3)).status, 200);
}

TEST(KserveBatchingTest, RowsOfLogitsFillABatchOfAnySize) {
  TestServer server({}, {.batching = {.preferred = {11}, .delay_us_max = kHour}});
  Crowd crowd(server);
  TestClient& first = crowd.add(ask());
  const TestResponse rows = server.client().post(kInferPath, ask_logits(10));
  EXPECT_EQ(rows.status, 200) << rows.body;
  EXPECT_EQ(first.receive().status, 200);
}

TEST(KserveBatchingTest, ATimeoutIsOfAllRowsOfARequestAtOnce) {
  TestServer server({}, {.rows_max = 8,
                         .batching = {.preferred = {8}, .delay_us_max = kHour,
                                      .queue = {.may_override = true}}});
  const TestResponse rows =
      server.client().post(kInferPath, ask_logits(8, R"("timeout":86400000000)"));
  EXPECT_EQ(rows.status, 200) << rows.body;
  const TestResponse late = server.client().post(kInferPath, ask_logits(7, R"("timeout":1000)"));
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.body, R"({"error":"Request timeout expired"})");
  EXPECT_EQ(server.metric("quire_requests_waiting"), 0);
}

// Who is to go is not kept by those that wait for company.
TEST(KserveBatchingTest, AModelThatGoesLetsInWhoWaits) {
  TestServer server({}, {.batching = {.preferred = {8}, .delay_us_max = kHour}});
  Crowd crowd(server);
  TestClient& first = crowd.add(ask());
  EXPECT_EQ(server.client().post("/quire/models/m/unload", "{}").status, 202);
  EXPECT_EQ(first.receive().status, 200);
  server.wait_for_metric("quire_model_unloads_total", 1);
}

TEST(KserveBatchingTest, AClientThatLeavesMakesRoom) {
  TestServer server({}, {.batching = {.preferred = {8}, .delay_us_max = kHour,
                                          .queue = {.size_max = 1}}});
  {
    TestClient leaving = server.client();
    leaving.send(post_bytes(kPath, ask()));
    server.wait_for_metric("quire_requests_waiting", 1);
  }
  server.wait_for_metric("quire_requests_waiting", 0);
  TestClient next = server.client();
  next.send(post_bytes(kPath, ask()));
  server.wait_for_metric("quire_requests_waiting", 1);
}

}  // namespace
}  // namespace quire
