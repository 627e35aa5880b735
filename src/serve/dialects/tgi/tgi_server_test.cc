// TGI's endpoints over real sockets: heads and bodies as its clients meet them.
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/dialects/tgi/tgi.h"
#include "serve/testing/test_json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

TEST(TgiServerTest, GenerateIsAnObjectAndTheFrontDoorAList) {
  TestServer server;
  TestClient client = server.client();
  const char* ask = R"({"inputs":"abc","parameters":{"max_new_tokens":4,"details":true,"seed":7}})";
  const TestResponse whole = client.post("/generate", ask);
  ASSERT_EQ(whole.status, 200) << whole.body;
  const Json body = json_of(whole);
  EXPECT_EQ(body.find("details")->find("generated_tokens")->as_int(), 4);
  EXPECT_EQ(body.find("details")->find("tokens")->items().size(), 4u);
  EXPECT_TRUE(body.find("details")->find("seed")->is_null());
  EXPECT_EQ(whole.header("x-prompt-tokens"), "3");
  EXPECT_EQ(whole.header("x-generated-tokens"), "4");
  EXPECT_EQ(whole.header("x-compute-characters"), "3");
  EXPECT_EQ(whole.header("x-compute-type"), "cpu+optimized");
  for (const char* name : {"x-compute-time", "x-total-time", "x-validation-time", "x-queue-time",
                           "x-inference-time", "x-time-per-token"}) {
    EXPECT_FALSE(whole.header(name).empty()) << name;
  }
  const Json list = json_of(client.post("/", ask));
  ASSERT_TRUE(list.is_array());
  EXPECT_EQ(list.items()[0].find("generated_text")->as_string(),
            "abc" + body.find("generated_text")->as_string())
      << "the front door repeats the inputs, unless it is told not to";
  const Json invoked = json_of(client.post(
      "/invocations",
      R"({"inputs":"abc","parameters":{"max_new_tokens":4,"return_full_text":false,"seed":7}})"));
  EXPECT_EQ(invoked.items()[0].find("generated_text")->as_string(),
            body.find("generated_text")->as_string());
}

TEST(TgiServerTest, TheTokensOfAStreamAreThoseOfTheWhole) {
  TestServer server;
  TestClient client = server.client();
  const Json whole = json_of(client.post(
      "/generate",
      R"({"inputs":"abc","parameters":{"max_new_tokens":6,"details":true,"seed":7}})"));
  for (const char* path : {"/generate_stream", "/"}) {
    const TestResponse stream = client.post(
        path, R"({"inputs":"abc","stream":true,"parameters":{"max_new_tokens":6,"details":true,)"
              R"("return_full_text":false,"seed":7}})");
    ASSERT_EQ(stream.status, 200);
    EXPECT_EQ(stream.header("content-type"), "text/event-stream");
    EXPECT_EQ(stream.header("x-accel-buffering"), "no");
    EXPECT_TRUE(stream.header("x-total-time").empty());
    std::vector<Json> events;
    std::string_view rest = stream.body;
    while (!rest.empty()) {
      const std::size_t end = rest.find("\n\n");
      ASSERT_TRUE(rest.starts_with("data: ") && end != std::string_view::npos) << rest;
      events.push_back(*parse_json(rest.substr(6, end - 6)));
      rest.remove_prefix(end + 2);
    }
    const auto& tokens = whole.find("details")->find("tokens")->items();
    ASSERT_EQ(events.size(), tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      EXPECT_EQ(dump(*events[i].find("token")), dump(tokens[i]));
      EXPECT_EQ(events[i].find("index")->as_uint(), i + 1);
      EXPECT_EQ(events[i].find("generated_text")->is_null(), i + 1 < tokens.size());
    }
    EXPECT_EQ(dump(*events.back().find("generated_text")), dump(*whole.find("generated_text")));
    EXPECT_EQ(events.back().find("details")->find("input_length")->as_int(), 3);
  }
}

TEST(TgiServerTest, ARefusedStreamIsAStreamOfOneEvent) {
  TestServer server;
  TestClient client = server.client();
  const std::string event =
      R"(data: {"error":"Input validation error: `temperature` must be strictly positive",)"
      R"("error_type":"validation"})" "\n\n";
  const TestResponse told = client.post("/generate_stream",
                                        R"({"inputs":"a","parameters":{"temperature":0}})");
  EXPECT_EQ(told.status, 200);
  EXPECT_EQ(told.header("content-type"), "text/event-stream");
  EXPECT_EQ(told.body, event);
  EXPECT_EQ(client.post("/", R"({"inputs":"a","stream":true,"parameters":{"temperature":0}})").body,
            event);
  EXPECT_EQ(client.post("/", R"({"inputs":"a","parameters":{"temperature":0}})").status, 422);
  EXPECT_EQ(client.post("/invocations", R"({"inputs":"a","parameters":{"temperature":0}})").status,
            422);
  EXPECT_EQ(client.post("/generate_stream", "{").status, 400) << "no JSON, no stream";
}

TEST(TgiServerTest, WhoNamesNoModelMeansTheFirstThatGenerates) {
  auto gate = std::make_shared<StepGate>();
  auto host = make_test_host({.names = {"embedder"}, .pooled = PooledInfo()}, gate);
  const auto second = host->add(make_test_recipe({.names = {"g"}}, gate));
  ASSERT_TRUE(second.is_ok() && host->load_now(*second).is_ok());
  TestServer server({}, gate, std::move(host));
  TestClient client = server.client();
  for (const char* path : {"/generate", "/invocations"}) {
    const TestResponse told =
        client.post(path, R"({"inputs":"abc","parameters":{"max_new_tokens":1}})");
    EXPECT_EQ(told.status, 200) << path << told.body;
  }
  const Json body = json_of(client.post("/invocations", R"({"prompt":"abc","max_tokens":1})"));
  ASSERT_NE(body.find("model"), nullptr) << dump(body);
  EXPECT_EQ(body.find("model")->as_string(), "g");
}

TEST(TgiServerTest, LongNamesAreToldShort) {
  TestServer server;
  const std::string name(5000, 'x'), cut(64, 'x');
  const std::string unknown = '"' + name + R"(":1)";
  const TestResponse told = server.client().post(
      "/generate",
      R"({"inputs":"a",)" + unknown + R"(,"parameters":{"max_new_tokens":1,)" + unknown + "}}");
  ASSERT_EQ(told.status, 200) << told.body;
  EXPECT_LT(told.body.size(), 2000u);
  for (const std::string& shown : {cut, "parameters." + cut}) {
    EXPECT_NE(told.body.find(R"("param":")" + shown + '"'), std::string::npos) << told.body;
  }
}

TEST(TgiServerTest, VertexAsksForSeveralAtOnce) {
  TestServer server;
  TestClient client = server.client();
  const std::string parameters = R"("parameters":{"max_new_tokens":4,"seed":7})";
  const Json alone = json_of(client.post("/generate", R"({"inputs":"abc",)" + parameters + "}"));
  std::string many = R"({"inputs":"abc",)" + parameters + "}";
  for (int i = 0; i < 20; ++i) many += R"(,{"inputs":"abc",)" + parameters + "}";
  const TestResponse told = client.post("/vertex", R"({"instances":[)" + many + "]}");
  ASSERT_EQ(told.status, 200) << told.body;
  const Json body = json_of(told);
  ASSERT_EQ(body.members().size(), 1u) << told.body;
  ASSERT_EQ(body.find("predictions")->items().size(), 21u);
  for (const Json& text : body.find("predictions")->items()) {
    EXPECT_EQ(text, *alone.find("generated_text"));
  }
  const std::string chat = R"("messages":[{"role":"user","content":"hi"}],"max_tokens":3,"seed":1)";
  const Json answer = json_of(client.post("/v1/chat/completions", R"({"model":"m",)" + chat + "}"));
  const Json both = json_of(client.post(
      "/vertex", R"({"parameters":{},"instances":[{"inputs":"a","parameters":{"max_new_tokens":1},)"
                 R"("what":1},{)" + chat + "}]}"));
  ASSERT_EQ(both.find("predictions")->items().size(), 2u) << dump(both);
  EXPECT_EQ(both.find("predictions")->items()[1],
            *answer.find("choices")->items()[0].find("message")->find("content"));
  const std::string warnings = dump(*both.find("warnings"));
  EXPECT_NE(warnings.find(R"("param":"parameters")"), std::string::npos) << warnings;
  EXPECT_NE(warnings.find(R"("param":"instances[0].what")"), std::string::npos) << warnings;
}

TEST(TgiServerTest, VertexTellsTheFirstMistake) {
  TestServer server;
  const auto told = [&](const std::string& body, int status) {
    const TestResponse answer = server.client().post("/vertex", body);
    EXPECT_EQ(answer.status, status) << body << answer.body;
    return answer.body;
  };
  told("{", 400);
  EXPECT_NE(told("{}", 422).find("missing field `instances`"), std::string::npos);
  EXPECT_NE(told(R"({"instances":5})", 422).find("expected a sequence"), std::string::npos);
  EXPECT_EQ(told(R"({"instances":[]})", 422),
            R"({"error":"Input validation error: `instances` must have 1 to 128 items. Given: 0",)"
            R"("error_type":"validation"})");
  EXPECT_NE(told(R"({"instances":[{"inputs":"a"},"b"]})", 422).find("instances[1]"),
            std::string::npos);
  EXPECT_NE(told(R"({"instances":[{"inputs":"a","stream":true}]})", 422).find("`stream`"),
            std::string::npos);
  EXPECT_EQ(told(R"({"instances":[{"inputs":"a"},{"inputs":"a","parameters":{"temperature":0}}]})",
                 422),
            R"({"error":"Input validation error: `temperature` must be strictly positive",)"
            R"("error_type":"validation"})");
  const std::string chat = told(
      R"({"instances":[{"messages":[{"role":"user","content":"a"}],"top_p":7}]})", 422);
  EXPECT_NE(chat.find(R"("error_type":"validation")"), std::string::npos) << chat;
  EXPECT_NE(chat.find("top_p"), std::string::npos) << chat;
}

TEST(TgiServerTest, ATemplateThatWantsNoSuchChatIsATemplateErrorAtEachDoor) {
  const std::string chat = R"({"messages":[{"role":"user","content":"a"}]})";
  for (const TestModelOptions& model :
       {TestModelOptions{.chat_template = "{{ raise_exception('not so') }}"},
        TestModelOptions{.has_template = false}}) {
    TestServer server({}, model);
    TestClient client = server.client();
    for (const auto& [path, body] : {std::pair<const char*, std::string>{"/chat_tokenize", chat},
                                     {"/vertex", R"({"instances":[)" + chat + "]}"}}) {
      const TestResponse told = client.post(path, body);
      EXPECT_EQ(told.status, 422) << path;
      const Json error = json_of(told);
      EXPECT_EQ(error.find("error_type")->as_string(), "template_error") << path;
      EXPECT_TRUE(error.find("error")->as_string().starts_with("Template error: ")) << told.body;
    }
  }
}

TEST(TgiServerTest, RequestsAreKnownByTheirIdAndTheirTrace) {
  TestServer server;
  TestClient client = server.client();
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const std::string headers = "x-request-id: mine\r\ntraceparent: 00-" + trace +
                              "-b7ad6b7169203331-01\r\n";
  ASSERT_EQ(client.post("/vertex", R"({"instances":[{"inputs":"a","parameters":)"
                                   R"({"max_new_tokens":1}}]})", headers).status, 200);
  const Json known = json_of(client.get("/debug/requests"));
  ASSERT_EQ(known.find("requests")->items().size(), 1u);
  const Json& request = known.find("requests")->items().front();
  EXPECT_EQ(request.find("id")->as_string(), "mine");
  EXPECT_EQ(request.find("trace_id")->as_string(), trace);
}

TEST(TgiServerTest, SageMakersBodiesNameNoModel) {
  TestServer server;
  TestClient client = server.client();
  for (const char* body : {R"({"messages":[{"role":"user","content":"a"}],"max_tokens":1})",
                           R"({"prompt":"a","max_tokens":1})",
                           R"({"model":null,"prompt":"a","max_tokens":1})"}) {
    const TestResponse told = client.post("/invocations", body);
    EXPECT_EQ(told.status, 200) << told.body;
    EXPECT_EQ(json_of(told).find("model")->as_string(), "m");
  }
  EXPECT_EQ(client.post("/invocations", R"({"model":"nobody","prompt":"a"})").status, 404);
  EXPECT_EQ(client.post("/v1/completions", R"({"prompt":"a"})").status, 400)
      << "OpenAI's own door asks for one, where not any name will do";
}

// TGI has one validation for all its routes.
TEST(TgiServerTest, WhatTheOperatorHasSaidHoldsForChatsAndCompletions) {
  ServerOptions options;
  options.client_limits = {.stop_sequences_max = 1, .input_tokens_max = 40, .batch_size_max = 2,
                           .has_grammars = false,
                           .said = {.stop_sequences = true, .batch_size = true}};
  TestServer server(options);
  TestClient client = server.client();
  const auto refused = [&](const char* path, const std::string& fields) {
    const TestResponse told = client.post(path, R"({"model":"m","max_tokens":1,)" + fields + "}");
    EXPECT_EQ(told.status, 422) << told.body;
    const Json body = json_of(told);
    const Json* error = body.find("error");
    return error->find("type")->as_string() + ": " + error->find("message")->as_string();
  };
  const char* completions = "/v1/completions";
  const char* chats = "/v1/chat/completions";
  EXPECT_EQ(refused(completions, R"("prompt":["a","b","c"])"),
            "batch size exceeded: Number of prompts exceeds the maximum allowed batch size of 2");
  EXPECT_EQ(refused(completions, R"("prompt":"a","stop":["x","y"])"),
            "validation: `stop` supports up to 1 stop sequences. Given: 2");
  EXPECT_EQ(refused(completions, R"("prompt":")" + std::string(41, 'x') + "\""),
            "validation: `prompt` must have less than 40 tokens. Given: 41");
  const std::string messages = R"("messages":[{"role":"user","content":"a"}])";
  EXPECT_EQ(refused(chats, messages + R"(,"response_format":{"type":"json_object"})"),
            "validation: grammar is not supported");
  EXPECT_EQ(refused(chats, messages + R"(,"stop":["x","y"])"),
            "validation: `stop` supports up to 1 stop sequences. Given: 2");
  EXPECT_EQ(refused(chats, R"("messages":[{"role":"user","content":")" + std::string(99, 'x') +
                               R"("}])").substr(0, 35), "validation: `messages` must have le");
  EXPECT_EQ(client.post(completions, R"({"model":"m","prompt":["a","b"],"max_tokens":1,)"
                                     R"("stop":"x"})").status, 200);
}

TEST(TgiServerTest, SoManyRequestsAreAnsweredAtOnce) {
  ServerOptions options;
  options.client_limits.concurrent_max = 2;
  TestServer server(options);
  server.gate().close();
  const char* ask = R"({"inputs":"abc","parameters":{"max_new_tokens":1}})";
  std::vector<TestClient> asking;
  for (int i = 0; i < 2; ++i) {
    asking.push_back(server.client());
    asking.back().send(post_bytes("/generate", ask));
    server.wait_for_metric("quire_calls_total", i + 1);
  }
  TestClient third = server.client();
  const TestResponse full = third.post("/generate", ask);
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.body, R"({"error":"Model is overloaded","error_type":"overloaded"})");
  EXPECT_EQ(third.post("/v1/completions", R"({"model":"m","prompt":"a"})").status, 429);
  EXPECT_EQ(json_of(third.get("/info")).find("max_concurrent_requests")->as_int(), 2);
  server.gate().open();
  for (TestClient& client : asking) EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(third.post("/generate", ask).status, 200) << "who has been answered makes room";
}

TEST(TgiServerTest, AClientThatLeavesVertexEndsItsInstances) {
  TestServer server;
  server.gate().close();
  TestClient client = server.client();
  client.send(post_bytes("/vertex", R"({"instances":[{"inputs":"a"},{"inputs":"b"}]})"));
  server.wait_for_metric("quire_requests_total{outcome=\"accepted\"}", 2);
  client.close();
  server.wait_for_metric("quire_clients_left_total", 2);
  server.gate().open();
  server.wait_for_metric("quire_requests_running", 0);
  EXPECT_EQ(server.client().post("/vertex", R"({"instances":[{"inputs":"a","parameters":)"
                                            R"({"max_new_tokens":1}}]})").status, 200);
}

TEST(TgiServerTest, HealthDocumentAndPageAreThere) {
  TestServer server;
  TestClient client = server.client();
  for (const char* path : {"/health", "/ping"}) EXPECT_EQ(client.get(path).status, 200) << path;
  EXPECT_EQ(client.get("/api-doc/openapi.json").body, client.get("/openapi.json").body);
  const TestResponse page = client.get("/docs");
  EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
  for (const char* path : {"/generate_stream", "/v1/models/{model...}", "openapi.json"}) {
    EXPECT_NE(page.body.find(path), std::string::npos) << path;
  }
}

TEST(TgiServerTest, OthersKeepTheirShapeOnSharedPaths) {
  TestServer server;
  TestClient client = server.client();
  EXPECT_TRUE(json_of(client.post("/tokenize", R"({"inputs":"ab"})")).is_array());
  EXPECT_EQ(json_of(client.post("/tokenize", R"({"prompt":"ab"})")).find("count")->as_int(), 2);
  EXPECT_NE(json_of(client.post("/tokenize", "{}")).find("error")->find("message"), nullptr);
  EXPECT_NE(json_of(client.post("/invocations", R"({"nothing":1})")).find("error")->find("message"),
            nullptr);
  EXPECT_EQ(client.post("/tokenize", R"({"inputs":5})").header("content-type"),
            "text/plain; charset=utf-8");
}

TEST(TgiServerTest, KeysAndContentTypesAreAskedForAsTgiDoes) {
  ServerOptions options;
  options.api_keys = {"sesame"};
  TestServer server(options);
  const TestResponse locked = server.client().post("/generate", R"({"inputs":"a"})");
  EXPECT_EQ(locked.status, 401);
  EXPECT_EQ(locked.body, "");
  TestClient client = server.client();  // the first connection ended with a body unread
  EXPECT_EQ(client.get("/info").status, 200);
  EXPECT_EQ(client.get("/health").status, 200);
  EXPECT_EQ(client.post("/generate", R"({"inputs":"a","parameters":{"max_new_tokens":1}})",
                        "Authorization: Bearer sesame\r\n").status, 200);
  client.send("POST /generate HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sesame\r\n"
              "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
  const TestResponse wrong = client.receive();
  EXPECT_EQ(wrong.status, 415);
  EXPECT_EQ(wrong.header("content-type"), "text/plain; charset=utf-8");
}

TEST(TgiServerTest, AFullQueueIsAnOverloadedModel) {
  TestServer server({}, {.rows_max = 1, .queue_max = 1});
  server.gate().close();
  const char* ask = R"({"inputs":"abc","parameters":{"max_new_tokens":1}})";
  TestClient first = server.client();
  first.send(post_bytes("/generate", ask));
  server.wait_for_metric("quire_requests_total{outcome=\"accepted\"}", 1);
  TestResponse full;
  std::vector<TestClient> waiting;
  for (int i = 0; i < 4 && full.status == 0; ++i) {  // the queue takes some
    TestClient& client = waiting.emplace_back(server.client());
    client.send(post_bytes("/generate", ask));
    while (true) {
      const double accepted = server.metric("quire_requests_total{outcome=\"accepted\"}");
      const double refused = server.metric("quire_requests_total{outcome=\"overloaded\"}");
      if (refused > 0) {
        full = client.receive();
        break;
      }
      if (accepted >= i + 2) break;
    }
  }
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.body, R"({"error":"Model is overloaded","error_type":"overloaded"})");
  server.gate().open();
}

TEST(TgiServerTest, WhatFailsWhileItIsMadeIsAFailedGeneration) {
  TestServer server({}, {.token_non_finite = 'x'});
  const TestResponse told = server.client().post(
      "/generate", R"({"inputs":"abx","parameters":{"max_new_tokens":3}})");
  EXPECT_EQ(told.status, 424) << told.body;
  const Json body = json_of(told);
  EXPECT_EQ(body.find("error_type")->as_string(), "generation");
  EXPECT_TRUE(body.find("error")->as_string().starts_with("Request failed during generation: "));
}

TEST(TgiServerTest, InfoTellsTheModelAndTheLimits) {
  ServerOptions options;
  options.client_limits = {.best_of_max = 1, .stop_sequences_max = 2, .input_tokens_max = 100,
                           .total_tokens_max = 200, .has_grammars = false};
  TestServer server(options);
  TestClient client = server.client();
  const Json info = json_of(client.get("/info"));
  EXPECT_EQ(info.find("model_id")->as_string(), "m");
  EXPECT_EQ(info.find("max_best_of")->as_int(), 1);
  EXPECT_EQ(info.find("max_stop_sequences")->as_int(), 2);
  EXPECT_EQ(info.find("max_input_tokens")->as_int(), 100);
  EXPECT_EQ(info.find("max_total_tokens")->as_int(), 200);
  EXPECT_EQ(info.find("version")->as_string(), "test");
  EXPECT_EQ(client.get("/info?model=nobody").status, 404);
  const auto refused = [&](const std::string& parameters) {
    const std::string ask = R"({"inputs":"abc","parameters":{)" + parameters + "}}";
    return json_of(client.post("/generate", ask)).find("error")->as_string();
  };
  EXPECT_EQ(refused(R"("best_of":2,"do_sample":true)"),
            "Input validation error: `best_of` != 1 is not allowed for this endpoint");
  EXPECT_EQ(refused(R"("stop":["a","b","c"])"),
            "Input validation error: `stop` supports up to 2 stop sequences. Given: 3");
  EXPECT_EQ(refused(R"("grammar":{"type":"regex","value":"a"})"),
            "Input validation error: grammar is not supported");
  EXPECT_EQ(refused(R"("max_new_tokens":198)"),
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 200. Given: 3 "
            "`inputs` tokens and 198 `max_new_tokens`");
}

TEST(TgiServerTest, SeveralModelsHaveAFirst) {
  TestServer server;
  TestClient client = server.client();
  const std::string ask = R"({"inputs":"a","parameters":{"max_new_tokens":1},"model":)";
  EXPECT_EQ(client.post("/generate", ask + "\"other-name\"}").status, 200);
  EXPECT_EQ(client.post("/generate", ask + "\"nobody\"}").status, 404);
}

TEST(TgiServerTest, MetricsByTgisNames) {
  TestServer server({.metric_names = Metrics::Names::kTgi});
  TestClient client = server.client();
  const char* ask = R"({"inputs":"abc","parameters":{"max_new_tokens":2}})";
  ASSERT_EQ(client.post("/generate", ask).status, 200);
  ASSERT_EQ(client.post("/generate", R"({"inputs":""})").status, 422);
  const std::string text = client.get("/metrics").body;
  EXPECT_EQ(text.find("quire_"), std::string::npos);
  for (const char* line :
       {"tgi_request_count 2", "tgi_request_success 1",
        "tgi_request_failure{err=\"validation\"} 1", "tgi_request_failure{err=\"overloaded\"} 0",
        "tgi_request_failure{err=\"dropped\"} 0", "tgi_queue_size 0", "tgi_batch_current_size 0",
        "tgi_request_input_length_sum 3", "tgi_request_generated_tokens_sum 2",
        "tgi_request_max_new_tokens_sum 2", "tgi_request_queue_duration_count 1",
        "tgi_request_duration_count 1", "tgi_request_validation_duration_count 1",
        "tgi_request_inference_duration_count 1",
        "tgi_request_mean_time_per_token_duration_count 1",
        "tgi_batch_inference_count{method=\"prefill\"} 1",
        "# HELP tgi_request_failure Requests that got no answer, by what became of them",
        "# TYPE tgi_batch_inference_duration histogram",
        "# TYPE tgi_batch_inference_count counter"}) {
    EXPECT_NE(text.find(std::string("\n") + line + "\n"), std::string::npos) << line << text;
  }
}

TEST(TgiServerTest, ARequestOfSeveralAnswersIsOneRequest) {
  TestServer server({.metric_names = Metrics::Names::kTgi});
  TestClient client = server.client();
  ASSERT_EQ(client.post("/v1/completions",
                        R"({"model":"m","prompt":"a","n":3,"max_tokens":1})").status, 200);
  ASSERT_EQ(client.post("/generate", R"({"inputs":"abc","parameters":{"max_new_tokens":1,)"
                                     R"("do_sample":true,"best_of":2}})").status, 200);
  const std::string text = client.get("/metrics").body;
  for (const char* line : {"tgi_request_count 2", "tgi_request_success 2",
                           "tgi_request_duration_count 2"}) {
    EXPECT_NE(text.find(std::string("\n") + line + "\n"), std::string::npos) << line << text;
  }
}

}  // namespace
}  // namespace quire
