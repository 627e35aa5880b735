// vLLM's endpoints for operators against a server with two models.
#include <gtest/gtest.h>

#include <thread>

#include "serve/testing/test_server.h"

namespace quire {
namespace {

constexpr std::string_view kAsk = R"({"model":"m","prompt":"a","max_tokens":3})";

ServerOptions operable() { return {.is_operable = true}; }

int post(const TestServer& server, std::string_view path) {
  return server.client().post(path, "").status;
}

TEST(VllmControl, ClosedUnlessTheOperatorOpensThem) {
  TestServer server;
  for (const char* path : {"/sleep", "/wake_up", "/pause", "/resume", "/reset_prefix_cache"}) {
    const TestResponse refused = server.client().post(path, "");
    EXPECT_EQ(refused.status, 403) << path;
    EXPECT_NE(refused.body.find("--operator-endpoints"), std::string::npos);
  }
  for (const char* path : {"/ping", "/load", "/server_info", "/tokenizer_info", "/is_sleeping",
                           "/is_paused"}) {
    EXPECT_EQ(server.client().get(path).status, 200) << path;
  }
  EXPECT_EQ(server.client().get("/load").body, R"({"server_load":0})");
  EXPECT_EQ(post(server, "/ping"), 200);
  EXPECT_NE(server.client().get("/tokenizer_info").body.find("chat_template"), std::string::npos);
}

TEST(VllmControl, AsleepRequestsAreRefusedAndAwakeServed) {
  TestServer server(operable());
  EXPECT_EQ(server.client().post("/v1/completions", kAsk).status, 200);
  EXPECT_EQ(post(server, "/sleep?level=7"), 400);
  EXPECT_EQ(post(server, "/sleep?mode=never"), 400);
  EXPECT_EQ(post(server, "/sleep?level=1"), 200);
  EXPECT_EQ(server.client().get("/is_sleeping").body, R"({"is_sleeping":true})");
  const TestResponse refused = server.client().post("/v1/completions", kAsk);
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("/wake_up"), std::string::npos) << refused.body;
  server.wait_for_metric("quire_model_ready", 0);
  EXPECT_EQ(post(server, "/wake_up?tags=weights"), 200);
  EXPECT_EQ(server.client().get("/is_sleeping").body, R"({"is_sleeping":false})");
  EXPECT_EQ(server.client().post("/v1/completions", kAsk).status, 200);
}

TEST(VllmControl, SleepAbortsWhatRuns) {
  TestServer server(operable());
  server.gate().close();
  server.gate().let_pass(1);
  TestClient running = server.client();
  running.send(post_bytes("/v1/completions", kAsk));
  server.wait_for_metric("quire_requests_running", 1);
  EXPECT_EQ(post(server, "/sleep"), 200);
  const TestResponse aborted = running.receive();
  EXPECT_EQ(aborted.status, 503);
  EXPECT_NE(aborted.body.find("\"aborted\""), std::string::npos);
  server.gate().open();
  server.wait_for_metric("quire_model_ready", 0);
  EXPECT_EQ(post(server, "/wake_up"), 200);
}

TEST(VllmControl, PausedRequestsWaitAndGoOn) {
  TestServer server(operable());
  EXPECT_EQ(post(server, "/pause?mode=keep"), 200);
  EXPECT_EQ(server.client().get("/is_paused").body, R"({"is_paused":true})");
  TestClient waiting = server.client();
  waiting.send(post_bytes("/v1/completions", kAsk));
  while (server.client().get("/load").body != R"({"server_load":1})") std::this_thread::yield();
  EXPECT_EQ(server.client().get("/health").status, 200) << "a pause is no stall";
  EXPECT_EQ(post(server, "/resume"), 200);
  EXPECT_EQ(waiting.receive().status, 200);
  EXPECT_EQ(post(server, "/reset_prefix_cache"), 200);
}

}  // namespace
}  // namespace quire
