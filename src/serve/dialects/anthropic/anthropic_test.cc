// The Messages API over real sockets: routes, keys, errors of every status in its shape, the models
// that share a path with OpenAI, streams and what is counted.
#include "serve/dialects/anthropic/anthropic.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "serve/testing/test_json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

constexpr const char* kMessages = "/v1/messages";
constexpr const char* kVersion = "anthropic-version: 2023-06-01\r\n";

std::string hello(const std::string& fields = "") {
  return R"({"model":"m","max_tokens":8,"messages":[{"role":"user","content":"hi"}])" +
         (fields.empty() ? "" : "," + fields) + "}";
}

// "status type", and whether the ids of body and head agree.
std::string error_of(const TestResponse& response) {
  const Json body = json_of(response);
  const Json* error = body.find("error");
  if (error == nullptr || body.find("type") == nullptr || body.find("request_id") == nullptr) {
    return response.body;
  }
  EXPECT_EQ(body.find("type")->as_string(), "error");
  EXPECT_EQ(body.find("request_id")->as_string(), response.header("request-id"));
  EXPECT_FALSE(error->find("message")->as_string().empty());
  return std::to_string(response.status) + " " + error->find("type")->as_string();
}

TestResponse get(const TestServer& server, const std::string& path, const char* headers) {
  TestClient client = server.client();
  client.send("GET " + path + " HTTP/1.1\r\nHost: t\r\n" + headers + "\r\n");
  return client.receive();
}

TEST(AnthropicTest, AMessageWholeAndStreamed) {
  TestServer server;
  const TestResponse whole = server.client().post(kMessages, hello());
  ASSERT_EQ(whole.status, 200) << whole.body;
  EXPECT_TRUE(whole.header("request-id").starts_with("req_"));
  EXPECT_EQ(whole.header("content-type"), "application/json");
  EXPECT_EQ(json_of(whole).find("type")->as_string(), "message");
  const TestResponse stream =
      server.client().post("/v1/messages?beta=true", hello(R"("stream":true)"), kVersion);
  ASSERT_EQ(stream.status, 200) << stream.body;
  EXPECT_EQ(stream.header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_TRUE(stream.body.starts_with("event: message_start\n"));
  EXPECT_TRUE(stream.body.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
}

TEST(AnthropicTest, UsageAddsUpToTheCount) {
  TestServer server;
  const std::string fields = R"("system":")" + std::string(100, 's') + '"';
  const auto count = json_of(server.client().post("/v1/messages/count_tokens", hello(fields)))
                         .find("input_tokens")->as_int();
  for (const std::int64_t cached : {std::int64_t{0}, count - 1}) {
    const Json body = json_of(server.client().post(kMessages, hello(fields)));
    const Json& usage = *body.find("usage");
    EXPECT_EQ(usage.find("cache_read_input_tokens")->as_int(), cached / 32 * 32);
    EXPECT_EQ(usage.find("input_tokens")->as_int() + cached / 32 * 32, count);
    EXPECT_EQ(usage.find("cache_creation_input_tokens")->as_int(), 0);
  }
}

// The script draws bytes by chance: of 400 one is a letter.
TEST(AnthropicTest, AStopSequenceIsNamedAndNoPartOfTheText) {
  TestServer server;
  std::string stops;
  for (char c = 'A'; c <= 'Z'; ++c) {
    const char small = static_cast<char>(c | 0x20);
    stops += fmt::format(R"({}"{}","{}")", stops.empty() ? "" : ",", c, small);
  }
  const Json body = json_of(server.client().post(
      kMessages, R"({"model":"m","max_tokens":400,"messages":[{"role":"user","content":"hi"}],)"
                 R"("stop_sequences":[)" + stops + "]}"));
  EXPECT_EQ(body.find("stop_reason")->as_string(), "stop_sequence");
  ASSERT_TRUE(body.find("stop_sequence")->is_string());
  const std::string stop = body.find("stop_sequence")->as_string();
  for (const Json& block : body.find("content")->items()) {
    EXPECT_EQ(block.find("text")->as_string().find(stop), std::string::npos);
  }
}

TEST(AnthropicTest, ErrorsHaveTheServicesStatusAndType) {
  TestServer server({.api_keys = {"k"}, .http = {.body_max = 4096}});
  const auto post = [&](const std::string& body, const char* headers) {
    return error_of(server.client().post(kMessages, body, headers));
  };
  const char* key = "x-api-key: k\r\n";
  EXPECT_EQ(post(hello(), ""), "401 authentication_error");
  EXPECT_EQ(post(hello(), "x-api-key: wrong\r\n"), "401 authentication_error");
  EXPECT_EQ(post("{", key), "400 invalid_request_error");
  EXPECT_EQ(post(R"({"model":"x","max_tokens":1,"messages":[]})", key), "404 not_found_error");
  EXPECT_EQ(post(std::string(5000, ' '), key), "413 request_too_large");
  EXPECT_EQ(server.client().post(kMessages, hello(), key).status, 200);
  EXPECT_EQ(server.client().post(kMessages, hello(), "authorization: Bearer k\r\n").status, 200);
  EXPECT_EQ(error_of(server.client().post("/v1/messages/batches", "{}", key)),
            "404 not_found_error");
  EXPECT_EQ(error_of(get(server, "/v1/messages", key)), "405 invalid_request_error");
  EXPECT_EQ(error_of(get(server, "/v1/nowhere", "x-api-key: k\r\nanthropic-version: x\r\n")),
            "404 not_found_error");
}

TEST(AnthropicTest, AFullQueueADrainAndAFault) {
  {
    TestServer server({}, {.rows_max = 1, .queue_max = 1});
    server.gate().close();
    // What does not end by itself is asked for in another protocol.
    const std::string endless = R"({"model":"m","prompt":"a","max_tokens":500,"ignore_eos":true})";
    TestClient one = server.client(), two = server.client();
    one.send(post_bytes("/v1/completions", endless));
    server.gate().let_pass(1);
    server.wait_for_metric("quire_requests_running", 1);
    two.send(post_bytes("/v1/completions", endless));
    while (server.metric("quire_requests_waiting") < 1) server.gate().let_pass(1);
    const TestResponse full = server.client().post(kMessages, hello());
    EXPECT_EQ(error_of(full), "429 rate_limit_error");
    EXPECT_FALSE(full.header("retry-after").empty());
    TestClient late = server.client();
    late.get("/health");
    server.request_stop();
    while (late.get("/ready").status != 503) {
    }
    const TestResponse overloaded = late.post(kMessages, hello());
    EXPECT_EQ(error_of(overloaded), "529 overloaded_error");
    EXPECT_FALSE(overloaded.header("retry-after").empty());
    server.gate().open();
  }
  TestServer server({}, {.token_non_finite = 'h'});
  EXPECT_EQ(error_of(server.client().post(kMessages, hello())), "500 api_error");
}

TEST(AnthropicTest, ModelsAreInItsShapeWithItsHeader) {
  TestServer server({}, {.names = {"m", "n", "*"}});
  EXPECT_NE(get(server, "/v1/models", "").body.find("\"object\":\"list\""), std::string::npos);
  const Json list = json_of(get(server, "/v1/models", kVersion));
  EXPECT_EQ(dump(list), R"({"data":[{"type":"model","id":"m","display_name":"m","created_at":)"
                        R"("2023-11-14T22:13:20Z","max_input_tokens":1024,"max_tokens":1024},)"
                        R"({"type":"model","id":"n","display_name":"n","created_at":)"
                        R"("2023-11-14T22:13:20Z","max_input_tokens":1024,"max_tokens":1024}],)"
                        R"("has_more":false,"first_id":"m","last_id":"n"})");
  const Json page = json_of(get(server, "/v1/models?limit=1", kVersion));
  EXPECT_TRUE(page.find("has_more")->as_bool());
  EXPECT_EQ(page.find("last_id")->as_string(), "m");
  EXPECT_EQ(json_of(get(server, "/v1/models?after_id=m", kVersion)).find("first_id")->as_string(),
            "n");
  const Json before = json_of(get(server, "/v1/models?before_id=n", kVersion));
  EXPECT_EQ(before.find("last_id")->as_string(), "m");
  EXPECT_FALSE(before.find("has_more")->as_bool());
  EXPECT_EQ(error_of(get(server, "/v1/models?limit=0", kVersion)), "400 invalid_request_error");
  EXPECT_EQ(json_of(get(server, "/v1/models/n", kVersion)).find("id")->as_string(), "n");
}

TEST(AnthropicTest, AnyNameAnswersWhereTheModelIsCalledSo) {
  TestServer server({}, {.names = {"m", "*"}});
  const Json body = json_of(server.client().post(
      kMessages, R"({"model":"claude-haiku-9","max_tokens":1,)"
                 R"("messages":[{"role":"user","content":"hi"}]})"));
  EXPECT_EQ(body.find("model")->as_string(), "claude-haiku-9");
  const Json chat = json_of(server.client().post(
      "/v1/chat/completions", R"({"model":"gpt-9","max_tokens":1,)"
                              R"("messages":[{"role":"user","content":"hi"}]})"));
  EXPECT_EQ(chat.find("model")->as_string(), "gpt-9");
  TestServer strict;
  EXPECT_EQ(error_of(get(strict, "/v1/models/gpt-9", kVersion)), "404 not_found_error");
}

TEST(AnthropicTest, VolatileLinesAreCountedAndTold) {
  TestServer server;
  const auto ask = [&](const std::string& cch) {
    return json_of(server.client().post(
        kMessages, hello(R"("system":[{"type":"text","text":"x-anthropic-billing-header: cch=)" +
                         cch + R"(;"},{"type":"text","text":"You are x."}])")));
  };
  ask("1");
  const Json second = ask("2");
  EXPECT_EQ(server.metric("quire_volatile_lines_total{done=\"removed\"}"), 2);
  EXPECT_GE(second.find("usage")->find("cache_read_input_tokens")->as_int(), 32);
  const Json told =
      json_of(server.client().get("/debug/requests/" + second.find("id")->as_string()));
  EXPECT_EQ(dump(*told.find("volatile_lines")),
            R"([{"pattern":"anthropic-billing-header","done":"removed"}])");
  EXPECT_TRUE(told.find("earlier_prompt")->find("first_difference")->is_null());
}

TEST(AnthropicTest, WhereAPromptLeavesTheEarlierOneIsTold) {
  TestServer server({.keeps_volatile_lines = true});
  const auto ask = [&](const std::string& system) {
    return json_of(server.client().post(kMessages, hello("\"system\":\"" + system + '"')))
        .find("id")->as_string();
  };
  const auto told = [&](const std::string& id) {
    return *json_of(server.client().get("/debug/requests/" + id)).find("earlier_prompt");
  };
  const std::string first = ask("x-anthropic-billing-header: cch=1;");
  EXPECT_TRUE(told(first).is_null()) << "there is none";
  const Json second = told(ask("x-anthropic-billing-header: cch=2;"));
  const std::size_t at = std::string("[system\nx-anthropic-billing-header: cch=").size();
  EXPECT_EQ(second.find("first_difference")->as_uint(), at);
  EXPECT_EQ(second.find("id")->as_string(), first);
  EXPECT_EQ(second.find("says")->as_string().substr(0, 60),
            ("first difference at token " + std::to_string(at) + " from " + first + ": ")
                .substr(0, 60));
  EXPECT_TRUE(second.find("had")->as_string().starts_with("1;"));
  EXPECT_TRUE(second.find("has")->as_string().starts_with("2;"));
}

}  // namespace
}  // namespace quire
