// Ollama's API over real sockets: lines of JSON, durations and counts, loading and unloading by
// empty prompts, errors in its shape, lists of models, and what is cut or warned of.
#include "serve/dialects/ollama/ollama.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

Json json_of(const std::string& text) {
  Result<Json> json = parse_json(text);
  if (!json.is_ok()) ADD_FAILURE() << text;
  return json.is_ok() ? *json : Json::object();
}

std::vector<Json> lines_of(const std::string& body) {
  std::vector<Json> lines;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find('\n', at);
    EXPECT_NE(end, std::string::npos) << "a line without its end";
    lines.push_back(json_of(body.substr(at, end - at)));
    at = end + 1;
  }
  return lines;
}

std::string text_of(const Json& json, const char* name) {
  const Json* value = json.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

std::int64_t count_of(const Json& json, const char* name) {
  const Json* value = json.find(name);
  return value != nullptr && value->is_int() ? value->as_int() : 0;
}

std::string error_of(const TestResponse& response) {
  return std::to_string(response.status) + " " + text_of(json_of(response.body), "error");
}

bool warns_of(const Json& body, const std::string& param) {
  const Json* warnings = body.find("warnings");
  return warnings != nullptr &&
         dump(*warnings).find("\"param\":" + dump(Json(param))) != std::string::npos;
}

constexpr const char* kGenerate = "/api/generate";
constexpr const char* kChat = "/api/chat";

std::string generate(const std::string& fields) {
  return R"({"model":"m","options":{"num_predict":6,"seed":3},)" + fields + "}";
}

TEST(OllamaTest, AnAnswerIsLinesOfJsonByDefaultAndOneObjectIfAskedFor) {
  TestServer server;
  const TestResponse stream = server.client().post(kGenerate, generate(R"("prompt":"hi")"));
  ASSERT_EQ(stream.status, 200) << stream.body;
  EXPECT_EQ(stream.header("content-type"), "application/x-ndjson");
  const std::vector<Json> lines = lines_of(stream.body);
  ASSERT_GE(lines.size(), 2u);
  std::string text;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    EXPECT_EQ(*lines[i].find("done"), Json(false));
    EXPECT_EQ(lines[i].find("done_reason"), nullptr);
    EXPECT_EQ(lines[i].find("eval_count"), nullptr);
    text += text_of(lines[i], "response");
  }
  const Json& end = lines.back();
  EXPECT_EQ(*end.find("done"), Json(true));
  EXPECT_EQ(text_of(end, "response"), "");
  EXPECT_EQ(text_of(end, "model"), "m");
  EXPECT_TRUE(text_of(end, "created_at").ends_with("Z"));
  EXPECT_GT(count_of(end, "prompt_eval_count"), 0);
  EXPECT_GT(count_of(end, "eval_count"), 0);
  for (const char* name : {"total_duration", "load_duration", "prompt_eval_duration",
                           "eval_duration"}) {
    EXPECT_GT(count_of(end, name), 0) << name;
  }
  const TestResponse whole =
      server.client().post(kGenerate, generate(R"("prompt":"hi","stream":false)"));
  ASSERT_EQ(whole.status, 200) << whole.body;
  EXPECT_EQ(whole.header("content-type"), "application/json; charset=utf-8");
  const Json body = json_of(whole.body);
  EXPECT_EQ(text_of(body, "response").empty(), text.empty());
  EXPECT_TRUE(body.find("context")->is_array());
  EXPECT_EQ(static_cast<std::int64_t>(body.find("context")->items().size()) >=
                count_of(body, "prompt_eval_count"), true);
}

TEST(OllamaTest, AChatAnswersWithAMessage) {
  TestServer server;
  const std::string body =
      R"({"model":"m","messages":[{"role":"USER","content":"hi"}],"options":{"num_predict":4})";
  const std::vector<Json> lines = lines_of(server.client().post(kChat, body + "}").body);
  ASSERT_FALSE(lines.empty());
  for (const Json& line : lines) {
    EXPECT_EQ(text_of(*line.find("message"), "role"), "assistant");
    EXPECT_NE(line.find("message")->find("content"), nullptr);
    EXPECT_EQ(line.find("context"), nullptr);
  }
  const Json whole = json_of(server.client().post(kChat, body + R"(,"stream":false})").body);
  EXPECT_EQ(*whole.find("done"), Json(true));
  EXPECT_EQ(text_of(whole, "done_reason").empty(), false);
}

TEST(OllamaTest, AnEmptyPromptLoadsAndWithoutAStayUnloads) {
  TestServer server;
  const Json loaded = json_of(server.client().post(kGenerate, R"({"model":"m"})").body);
  EXPECT_EQ(text_of(loaded, "done_reason"), "load");
  EXPECT_EQ(*loaded.find("response"), Json(""));
  const Json chat = json_of(server.client().post(kChat, R"({"model":"m","messages":[]})").body);
  EXPECT_EQ(text_of(chat, "done_reason"), "load");
  EXPECT_EQ(text_of(*chat.find("message"), "role"), "assistant");
  const TestResponse gone = server.client().post(kGenerate, R"({"model":"m","keep_alive":0})");
  EXPECT_EQ(gone.header("content-type"), "application/json; charset=utf-8");
  EXPECT_EQ(text_of(json_of(gone.body), "done_reason"), "unload");
  while (json_of(server.client().get("/api/ps").body).find("models")->items().size() > 0) {
  }
  const Json again = json_of(server.client().post(kGenerate, R"({"model":"m"})").body);
  EXPECT_EQ(text_of(again, "done_reason"), "load");
  EXPECT_EQ(json_of(server.client().get("/api/ps").body).find("models")->items().size(), 1u);
}

TEST(OllamaTest, ARequestToUnloadIsReadLikeOthers) {
  TestServer server;
  const auto unload = [&](const std::string& fields) {
    return server.client().post(kGenerate, R"({"model":"m","keep_alive":0,)" + fields + "}");
  };
  EXPECT_EQ(unload(R"("options":{"top_k":"many"})").status, 400);
  EXPECT_EQ(unload(R"("stream":"no")").status, 400);
  EXPECT_EQ(server.host().rows()[0].unloads, 0u);
  EXPECT_TRUE(warns_of(json_of(unload(R"("no_such_field":1)").body), "no_such_field"));
}

TEST(OllamaTest, AnAnswerWithoutAStayIsTheModelsLast) {
  TestServer server;
  const TestResponse answer = server.client().post(
      kGenerate, generate(R"("prompt":"hi","keep_alive":"0s","stream":false)"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  while (server.host().rows()[0].unloads == 0) {
  }
}

TEST(OllamaTest, TheFirstRequestToAColdModelWaitsForItAndSaysHowLong) {
  TestServer server;
  server.client().post(kGenerate, R"({"model":"m","keep_alive":0})");
  while (server.host().rows()[0].unloads == 0) {
  }
  const TestResponse stream = server.client().post(kGenerate, generate(R"("prompt":"hi")"));
  ASSERT_EQ(stream.status, 200) << stream.body;
  const std::vector<Json> lines = lines_of(stream.body);
  EXPECT_FALSE(text_of(lines.front(), "response").empty() && lines.size() > 1)
      << "nothing is said before there is something to say";
  EXPECT_GT(count_of(lines.back(), "load_duration"), 0);
  EXPECT_GE(count_of(lines.back(), "total_duration"), count_of(lines.back(), "load_duration"));
  EXPECT_EQ(server.host().rows()[0].loads, 2u);
}

TEST(OllamaTest, CountsHaveCachedTokensTooAndGiveTheSpeed) {
  TestServer server;
  const std::string prompt(200, 'x');
  const auto ask = [&] {
    return json_of(server.client().post(
        kGenerate, generate(R"("raw":true,"stream":false,"prompt":")" + prompt + "\"")).body);
  };
  const Json first = ask(), second = ask();
  EXPECT_GT(server.metric("quire_prefix_cached_tokens_total"), 0);
  EXPECT_EQ(count_of(first, "prompt_eval_count"), 200);
  EXPECT_EQ(count_of(second, "prompt_eval_count"), 200);
  EXPECT_GT(count_of(second, "eval_count"), 0);
  EXPECT_GT(count_of(second, "eval_duration"), 0);
  EXPECT_GE(count_of(second, "total_duration"), count_of(second, "eval_duration"));
}

TEST(OllamaTest, AKeyThatNobodyAsksForIsPassedOver) {
  TestServer server;
  EXPECT_EQ(server.client().post(kGenerate, generate(R"("prompt":"hi")"),
                                 "Authorization: Bearer ollama\r\n").status, 200);
  EXPECT_EQ(server.client().post("/api/show", R"({"model":"m"})",
                                 "Authorization: Basic eA==\r\n").status, 200);
}

// When it will go, as /api/ps says, in years.
std::string year_of_end(TestServer& server) {
  const Json running = json_of(server.client().get("/api/ps").body);
  const auto& models = running.find("models")->items();
  return models.size() == 1 ? text_of(models[0], "expires_at").substr(0, 4) : "";
}

TEST(OllamaTest, AModelStaysAsLongAsItsLastRequestSays) {
  TestServer server;
  EXPECT_EQ(year_of_end(server), "2261") << "as the operator says: for ever";
  server.client().post(kGenerate, R"({"model":"m","keep_alive":"5m"})");
  EXPECT_LT(year_of_end(server), "2261");
  const TestResponse answer = server.client().post(
      kGenerate, generate(R"("prompt":"hi","stream":false,"keep_alive":-1)"));
  EXPECT_EQ(json_of(answer.body).find("warnings"), nullptr) << answer.body;
  EXPECT_EQ(year_of_end(server), "2261");
  server.client().post(kChat, R"({"model":"m","messages":[],"keep_alive":300})");
  EXPECT_LT(year_of_end(server), "2261");
  server.client().post(kGenerate, generate(R"("prompt":"hi","stream":false,"keep_alive":"?")"));
  server.client().post(kGenerate, generate(R"("prompt":"hi","keep_alive":-1,"format":"xml")"));
  EXPECT_LT(year_of_end(server), "2261") << "a request that is refused changes nothing";
  server.client().post(kGenerate, generate(R"("prompt":"hi","stream":false)"));
  EXPECT_LT(year_of_end(server), "2261") << "nor does one that says nothing";
  server.client().post(kGenerate, R"({"model":"m","keep_alive":"1ms"})");
  while (server.host().rows()[0].unloads == 0) {
  }
  EXPECT_EQ(year_of_end(server), "");
  server.client().post(kGenerate, R"({"model":"m"})");
  EXPECT_EQ(year_of_end(server), "2261") << "a stay ends with the model";
}

// Ollama loads a model anew for another num_ctx; here one that is served covers a smaller one.
TEST(OllamaTest, ASmallerContextActsAndALargerOneIsTold) {
  TestServer server(ServerOptions(), TestModelOptions{.context_max = 256});
  const auto ask = [&](int context, const char* more) {
    return json_of(server.client().post(
        kGenerate, R"({"model":"m","raw":true,"stream":false,"prompt":")" + std::string(100, 'x') +
                       R"(","options":{"num_predict":2,"num_ctx":)" + std::to_string(context) +
                       "}" + more + "}").body);
  };
  const Json small = ask(64, "");
  EXPECT_EQ(count_of(small, "prompt_eval_count"), 63) << "cut to it: " << dump(small);
  EXPECT_TRUE(warns_of(small, "prompt"));
  EXPECT_EQ(text_of(ask(64, R"(,"truncate":false)"), "error"),
            "the input length exceeds the context length");
  EXPECT_EQ(count_of(small, "eval_count"), 2) << "behind num_ctx the answer goes on";
  EXPECT_EQ(count_of(ask(64, R"(,"shift":false)"), "eval_count"), 1);
  const Json covered = ask(128, "");
  EXPECT_EQ(count_of(covered, "prompt_eval_count"), 100);
  EXPECT_EQ(covered.find("warnings"), nullptr) << dump(covered);
  const Json large = ask(4096, "");
  EXPECT_EQ(count_of(large, "prompt_eval_count"), 100);
  EXPECT_TRUE(warns_of(large, "options.num_ctx")) << dump(large);
  EXPECT_EQ(server.host().rows()[0].loads, 1u) << "nobody's model is loaded again for it";
}

TEST(OllamaTest, SeedsHave64Bits) {
  TestServer server;
  const auto status_of = [&](const char* seed) {
    return server.client().post(kGenerate, R"({"model":"m","prompt":"a","stream":false,"options":{)"
                                           R"("num_predict":1,"seed":)" + std::string(seed) + "}}")
        .status;
  };
  for (const char* seed : {"8674665223082153551", "9223372036854775807", "-9223372036854775808",
                           "9.223372036854775808e18", "1.5"}) {
    EXPECT_EQ(status_of(seed), 200) << seed;
  }
  EXPECT_EQ(status_of("1e19"), 400);
}

TEST(OllamaTest, ErrorsAreOneSentence) {
  TestServer server;
  TestClient client = server.client();
  EXPECT_EQ(error_of(client.post(kGenerate, "")), "400 missing request body");
  EXPECT_EQ(error_of(client.post(kGenerate, "{}")), "400 model is required");
  EXPECT_EQ(error_of(client.post(kGenerate, R"({"model":"x","prompt":"p"})")),
            "404 model 'x' not found");
  EXPECT_EQ(error_of(client.post(kChat, R"({"model":"x"})")), "404 model 'x' not found");
  EXPECT_EQ(error_of(client.post("/api/show", R"({"model":"x"})")), "404 model 'x' not found");
  EXPECT_EQ(error_of(client.post(kGenerate, generate(R"("prompt":"p","top_logprobs":21)"))),
            "400 top_logprobs must be between 0 and 20");
  EXPECT_EQ(error_of(client.post(
                kGenerate, generate(R"("prompt":"p","raw":true,"system":"s")"))),
            "400 raw mode does not support template, system, or context");
  EXPECT_EQ(error_of(client.post(kGenerate, generate(R"("prompt":"p","think":true)"))),
            "400 \"m\" does not support thinking");
  EXPECT_EQ(error_of(client.post(kGenerate, generate(R"("prompt":"p","suffix":"s")"))),
            "400 \"m\" does not support insert");
  EXPECT_EQ(error_of(client.post(
                kGenerate, R"({"model":"m","prompt":"p","options":{"top_k":"x"}})")),
            "400 option \"top_k\" must be of type integer");
  EXPECT_EQ(error_of(client.post("/api/embed", R"({"model":"m","input":"x"})")),
            "400 \"m\" does not support embeddings");
  EXPECT_EQ(server.client().post("/api/tags", "{}").status, 405);  // ends with a body unread
  EXPECT_EQ(error_of(client.get("/api/nothing")).substr(0, 3), "404");
  const TestResponse images = client.post(kGenerate, generate(R"("prompt":"p","images":["aGk="])"));
  EXPECT_EQ(images.status, 400);
  EXPECT_NE(images.body.find("images"), std::string::npos);
}

TEST(OllamaTest, NamesAreTheSameWithTheirTagAndInAnyCase) {
  TestServer server;
  for (const char* name : {"m", "m:latest", "M", "library/m", "registry.ollama.ai/library/m:latest",
                           "Other-Name:LATEST"}) {
    const Json body = json_of(server.client().post(
        kGenerate, R"({"model":")" + std::string(name) +
                       R"(","prompt":"hi","stream":false,"options":{"num_predict":1}})").body);
    EXPECT_EQ(text_of(body, "model"), name) << dump(body);
  }
  const Json tags = json_of(server.client().get("/api/tags").body);
  ASSERT_EQ(tags.find("models")->items().size(), 2u);
  EXPECT_EQ(text_of(tags.find("models")->items()[0], "name"), "m:latest");
  EXPECT_EQ(text_of(tags.find("models")->items()[0], "digest").size(), 64u);
}

TEST(OllamaTest, WhatDoesLessThanWasAskedIsTold) {
  TestServer server;
  const Json body = json_of(server.client().post(
      kGenerate, R"({"model":"m","prompt":"hi","stream":false,"no_such_field":1,"shift":true,)"
                 R"("options":{"num_predict":1,"num_gpu":3,"mirostat":1,"what":2,)"
                 R"("repeat_penalty":1.1,"repeat_last_n":64,"num_ctx":100000}})").body);
  for (const char* param : {"no_such_field", "shift", "options.num_gpu", "options.mirostat",
                            "options.what", "options.repeat_last_n", "options.num_ctx"}) {
    EXPECT_TRUE(warns_of(body, param)) << param << dump(body);
  }
  EXPECT_EQ(server.metric("quire_unknown_parameters_total"), 2) << "the field and the option";
}

TEST(OllamaTest, ALongChatLosesItsOldestMessagesAndALongPromptItsMiddle) {
  TestServer server(ServerOptions(), TestModelOptions{.context_max = 256});
  std::string messages = R"([{"role":"system","content":"keep this"})";
  for (int i = 0; i < 20; ++i) {
    messages += R"(,{"role":"user","content":"message number )" + std::to_string(i) + R"("})";
  }
  const std::string chat = R"({"model":"m","stream":false,"_debug_render_only":true,"messages":)" +
                           messages + "]";
  const Json body = json_of(server.client().post(kChat, chat + "}").body);
  const std::string prompt = text_of(*body.find("_debug_info"), "rendered_template");
  EXPECT_NE(prompt.find("keep this"), std::string::npos);
  EXPECT_NE(prompt.find("message number 19"), std::string::npos);
  EXPECT_EQ(prompt.find("message number 0"), std::string::npos);
  EXPECT_TRUE(warns_of(body, "messages")) << dump(body);
  EXPECT_EQ(error_of(server.client().post(kChat, chat + R"(,"truncate":false})")),
            "400 the input length exceeds the context length");
  const std::string text(1000, 'x');
  const Json cut = json_of(server.client().post(
      kGenerate, R"({"model":"m","raw":true,"stream":false,"prompt":")" + text + R"("})").body);
  EXPECT_TRUE(warns_of(cut, "prompt")) << dump(cut);
  EXPECT_EQ(count_of(cut, "prompt_eval_count"), 255);
  EXPECT_EQ(error_of(server.client().post(
                kGenerate,
                R"({"model":"m","raw":true,"truncate":false,"prompt":")" + text + "\"}")),
            "400 the input length exceeds the context length");
}

TEST(OllamaTest, TheContextOfAnAnswerIsTheBeginningOfTheNext) {
  TestServer server;
  const Json first = json_of(server.client().post(
      kGenerate, generate(R"("prompt":"one","stream":false)")).body);
  const std::string context = dump(*first.find("context"));
  const Json second = json_of(server.client().post(
      kGenerate, generate(R"("prompt":"two","stream":false,"context":)" + context)).body);
  EXPECT_TRUE(dump(*second.find("context")).starts_with(context.substr(0, context.size() - 1)));
  EXPECT_EQ(server.client().post(kGenerate, generate(R"("prompt":"p","context":[-1])")).status,
            400);
}

TEST(OllamaTest, LogProbabilitiesHaveTheirTokensBytes) {
  TestServer server;
  const Json body = json_of(server.client().post(
      kGenerate, generate(R"("prompt":"hi","stream":false,"logprobs":true,"top_logprobs":2)"))
                                .body);
  const Json* list = body.find("logprobs");
  ASSERT_NE(list, nullptr) << dump(body);
  EXPECT_EQ(static_cast<std::int64_t>(list->items().size()), count_of(body, "eval_count"));
  for (const char* name : {"token", "logprob", "bytes", "top_logprobs"}) {
    EXPECT_NE(list->items()[0].find(name), nullptr) << name;
  }
}

TEST(OllamaTest, VectorsHaveLengthOneButForTheOldRoute) {
  TestModelOptions model;
  model.pooled = PooledInfo{.width = 2};
  TestServer server(ServerOptions(), model);
  const Json two =
      json_of(server.client().post("/api/embed", R"({"model":"m","input":["a","bc"]})").body);
  ASSERT_EQ(two.find("embeddings")->items().size(), 2u) << dump(two);
  const Json& vector = two.find("embeddings")->items()[0];
  const double x = vector.items()[0].as_double(), y = vector.items()[1].as_double();
  EXPECT_NEAR(x * x + y * y, 1, 1e-5);
  EXPECT_GT(count_of(two, "prompt_eval_count"), 0);
  const Json none = json_of(server.client().post("/api/embed", R"({"model":"m","input":""})").body);
  EXPECT_EQ(dump(*none.find("embeddings")), "[]");
  const Json one =
      json_of(server.client().post("/api/embeddings", R"({"model":"m","prompt":"a"})").body);
  EXPECT_EQ(one.find("embedding")->items().size(), 2u) << dump(one);
  EXPECT_EQ(server.client().post("/api/embeddings", R"({"model":"m"})").body,
            R"({"embedding":[]})");
  EXPECT_EQ(error_of(server.client().post("/api/embed", R"({"model":"m","input":7})")),
            "400 invalid input type");
  EXPECT_EQ(error_of(server.client().post(kGenerate, R"({"model":"m","prompt":"x"})")),
            "400 \"m\" does not support generate");
}

TEST(OllamaTest, ATextOfVectorsIsBoundByNumCtx) {
  TestModelOptions model;
  model.pooled = PooledInfo{.width = 2};
  TestServer server(ServerOptions(), model);
  const auto ask = [&](const char* more) {
    return server.client().post("/api/embed", R"({"model":"m","input":"abcdefgh",)" +
                                                  std::string(more) + "}");
  };
  const auto cut = ask(R"("options":{"num_ctx":5})");
  EXPECT_EQ(count_of(json_of(cut.body), "prompt_eval_count"), 5) << cut.body;
  EXPECT_EQ(error_of(ask(R"("truncate":false,"options":{"num_ctx":5})")),
            "400 the input length exceeds the context length");
  EXPECT_EQ(ask(R"("truncate":false,"options":{"num_ctx":64})").status, 200);
  EXPECT_EQ(ask(R"("options":{"num_ctx":null})").status, 200) << "as LangChain sends it";
  EXPECT_EQ(error_of(ask(R"("options":{"num_ctx":0})")),
            "400 input after truncation exceeds maximum context length");
}

// /api/tags has "m:latest": whoever read it there may ask by any protocol.
TEST(OllamaTest, ANameOfItsListsMeansTheSameToOtherProtocols) {
  TestServer server;
  const std::string messages = R"("messages":[{"role":"user","content":"a"}],"max_tokens":1)";
  const std::pair<const char*, std::string> routes[] = {
      {"/v1/chat/completions", messages},
      {"/v1/completions", R"("prompt":"a","max_tokens":1)"},
      {"/v1/responses", R"("input":"a","max_output_tokens":16)"},
      {"/v1/messages", messages}};
  for (const auto& [path, fields] : routes) {
    const auto status_of = [&](const std::string& name) {
      return server.client().post(path, R"({"model":")" + name + "\"," + fields + "}").status;
    };
    for (const char* name : {"m", "m:latest", "M", "library/m", "Other-Name:latest"}) {
      EXPECT_EQ(status_of(name), 200) << path << " " << name;
    }
    for (const char* name : {"m:1", "n", "me/m", "m:", "latest"}) {
      EXPECT_EQ(status_of(name), 404) << path << " " << name;
    }
  }
  for (const std::string header : {"", "anthropic-version: 2023-06-01\r\n"}) {
    const auto status_of = [&](const std::string& name) {
      TestClient client = server.client();
      client.send("GET /v1/models/" + name + " HTTP/1.1\r\nHost: t\r\n" + header + "\r\n");
      return client.receive().status;
    };
    EXPECT_EQ(status_of("m:latest"), 200);
    EXPECT_EQ(status_of("m:2"), 404);
  }
}

TEST(OllamaTest, AModelThatHasNoTemplateReadsWhatIsSaid) {
  TestServer server(ServerOptions(), {.has_template = false});
  const std::string chat = R"({"model":"m","stream":false,"options":{"num_predict":2},"messages":)"
                           R"([{"role":"system","content":"s"},{"role":"user","content":"hi"}])";
  const Json shown = json_of(
      server.client().post(kChat, chat + R"(,"_debug_render_only":true})").body);
  EXPECT_EQ(text_of(*shown.find("_debug_info"), "rendered_template"), "hi");
  const Json answer = json_of(server.client().post(kChat, chat + "}").body);
  EXPECT_EQ(text_of(*answer.find("message"), "role"), "assistant") << dump(answer);
  EXPECT_TRUE(warns_of(answer, "messages"));
  EXPECT_EQ(error_of(server.client().post(kChat, chat + R"(,"tools":[{"type":"function",)"
                                                        R"("function":{"name":"f"}}]})")),
            "400 \"m\" does not support tools");
}

TEST(OllamaTest, WhatFillsAGapTellsWhatItDoesNotRead) {
  TestServer server;
  const auto ask = [&](const std::string& more) {
    return json_of(server.client().post(kGenerate, generate(R"("prompt":"a","suffix":"b",)"
                                                            R"("_debug_render_only":true,)" +
                                                            more)).body);
  };
  const auto text = [&](const Json& body) {
    return body.find("_debug_info") != nullptr
               ? text_of(*body.find("_debug_info"), "rendered_template") : dump(body);
  };
  const std::string own = R"("template":"{{ .Prompt }}|{{ .Suffix }}>")";
  EXPECT_EQ(text(ask(own)), "a|b>") << "a request's template that knows a gap";
  const Json system = ask(own + R"(,"system":"s")");
  EXPECT_EQ(text(system), "a|b>");
  EXPECT_TRUE(warns_of(system, "system"));
  EXPECT_TRUE(text(ask(own + R"(,"context":[120,121])")).ends_with("a|b>"));
  EXPECT_NE(text(ask(own + R"(,"context":[120,121])")), "a|b>") << "it stands before";
  const Json raw = ask(R"("raw":true)");
  EXPECT_EQ(text(raw), "a");
  EXPECT_TRUE(warns_of(raw, "suffix"));
}

TEST(OllamaTest, WhatAVectorIsNotMadeOfIsTold) {
  TestModelOptions model;
  model.pooled = PooledInfo{.width = 2};
  TestServer server(ServerOptions(), model);
  const auto embed = [&](const std::string& fields) {
    return json_of(server.client().post("/api/embed", R"({"model":"m",)" + fields + "}").body);
  };
  const std::string ten = R"("input":["abc","abcdefghij"],"options":{"num_ctx":)";
  EXPECT_TRUE(warns_of(embed(ten + "5}"), "input"));
  EXPECT_NE(dump(embed(ten + "5}")).find("input[1] is the first"), std::string::npos);
  EXPECT_FALSE(warns_of(embed(ten + "10}"), "input")) << "all of it is read";
  EXPECT_TRUE(warns_of(embed(R"("input":"a","dimensions":3)"), "dimensions"));
  EXPECT_FALSE(warns_of(embed(R"("input":"a","dimensions":2)"), "dimensions"));
  const Json older = json_of(
      server.client().post("/api/embeddings", R"({"model":"m","input":"a"})").body);
  EXPECT_EQ(dump(*older.find("embedding")), "[]");
  EXPECT_TRUE(warns_of(older, "input"));
  std::string many;
  for (int i = 0; i < 2049; ++i) many += i == 0 ? "\"a\"" : ",\"a\"";
  EXPECT_EQ(text_of(embed("\"input\":[" + many + "]"), "error"),
            "input: at most 2048 texts, got 2049");
  EXPECT_EQ(error_of(server.client().post(kChat, R"({"model":"m","messages":[]})")),
            "400 \"m\" does not support chat");
}

TEST(OllamaTest, APromptThatIsCutIsCalledThat) {
  TestServer server;
  const std::string words(200, 'a');
  const TestResponse cut = server.client().post(
      kGenerate, R"({"model":"m","stream":false,"options":{"num_ctx":64,"num_predict":1},)"
                 R"("prompt":")" + words + "\"}");
  EXPECT_TRUE(warns_of(json_of(cut.body), "prompt")) << cut.body;
  EXPECT_FALSE(warns_of(json_of(cut.body), "messages")) << cut.body;
}

// Clients refuse servers that are older than what they ask for.
TEST(OllamaTest, ItsVersionIsThatOfItsProtocol) {
  TestServer server;
  const Json version = json_of(server.client().get("/api/version").body);
  EXPECT_EQ(text_of(version, "version"), "0.17.4");
  EXPECT_FALSE(text_of(version, "quire").empty());
}

TEST(OllamaTest, ItIsThere) {
  TestServer server;
  EXPECT_EQ(server.client().get("/").body, "Ollama is running");
  TestClient client = server.client();
  client.send("HEAD / HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.receive(true).status, 200);
  EXPECT_FALSE(text_of(json_of(server.client().get("/api/version").body), "version").empty());
  const Json shown = json_of(server.client().post("/api/show", R"({"model":"m"})").body);
  EXPECT_TRUE(text_of(shown, "modelfile").starts_with("# Modelfile generated by \"ollama show\""));
  EXPECT_NE(dump(*shown.find("capabilities")).find("completion"), std::string::npos);
  EXPECT_TRUE(shown.find("model_info")->is_object());
}

}  // namespace
}  // namespace quire
