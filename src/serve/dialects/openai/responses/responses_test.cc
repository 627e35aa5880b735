// The Responses API over real sockets: answers whole and as numbered events, turns that go on from
// kept ones after a restart, answers in the background, and what each tenant may see.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "base/json.h"
#include "serve/testing/test_json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

// The value at a path of names and numbers: "output.0.content.0.text".
Json at(const Json& body, const std::string& path) {
  const Json* here = &body;
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '.');) {
    if (here->is_array()) {
      const std::size_t index = std::stoul(part);
      if (index >= here->items().size()) return {};
      here = &here->items()[index];
    } else {
      here = here->find(part);
    }
    if (here == nullptr) return {};
  }
  return *here;
}

std::string text_at(const Json& body, const std::string& path) {
  const Json value = at(body, path);
  return value.is_string() ? value.as_string() : dump(value);
}

std::vector<Json> events_of(const std::string& stream) {
  std::vector<Json> events;
  std::istringstream lines(stream);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("data: ")) events.push_back(*parse_json(line.substr(6)));
  }
  return events;
}

std::vector<std::string> types_of(const std::vector<Json>& events) {
  std::vector<std::string> types;
  for (const Json& event : events) {
    const std::string type = text_at(event, "type");
    if (types.empty() || types.back() != type) types.push_back(type);
  }
  return types;
}

constexpr const char* kResponses = "/v1/responses";
constexpr const char* kText = "output.0.content.0.text";

std::string ask(const std::string& fields) {
  return R"({"model":"m","temperature":0,"seed":7,"max_output_tokens":12)" +
         (fields.empty() ? "" : "," + fields) + "}";
}

class ResponsesTest : public ::testing::Test {
 protected:
  ResponsesTest() {
    char name[] = "/tmp/quire-responses-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~ResponsesTest() override { std::filesystem::remove_all(folder_); }

  ServerOptions options(const std::string& store = "") const {
    ServerOptions options;
    options.archive_path = store.empty() ? folder_ + "/answers.sqlite3" : store;
    if (store == "none") options.archive_path.clear();
    return options;
  }

  static TestResponse request(TestServer& server, const std::string& method,
                              const std::string& path, const std::string& headers = "") {
    TestClient client = server.client();
    client.send(method + " " + path + " HTTP/1.1\r\nhost: x\r\n" + headers +
                (method == "POST" ? "content-length: 0\r\n" : "") + "\r\n");
    return client.receive();
  }
  static Json create(TestServer& server, const std::string& fields,
                     const std::string& headers = "") {
    const TestResponse answer = server.client().post(kResponses, ask(fields), headers);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return json_of(answer);
  }

  std::string folder_;
};

TEST_F(ResponsesTest, AWholeAnswerHasEveryKey) {
  TestServer server(options());
  const Json body = create(server, R"("input":"hi","metadata":{"a":"b"},"instructions":"brief")");
  for (const char* key : {"id", "object", "created_at", "status", "error", "incomplete_details",
                          "instructions", "model", "tools", "output", "parallel_tool_calls",
                          "metadata", "tool_choice", "temperature", "top_p", "usage", "text",
                          "truncation", "store", "previous_response_id", "reasoning"}) {
    EXPECT_NE(body.find(key), nullptr) << key;
  }
  EXPECT_EQ(text_at(body, "object"), "response");
  EXPECT_EQ(text_at(body, "output.0.role"), "assistant");
  EXPECT_EQ(text_at(body, "metadata.a"), "b");
  EXPECT_EQ(text_at(body, "store"), "true");
  EXPECT_EQ(at(body, "usage.total_tokens").as_int(),
            at(body, "usage.input_tokens").as_int() + at(body, "usage.output_tokens").as_int());
}

TEST_F(ResponsesTest, AStreamSaysTheSameInNumberedEvents) {
  TestServer server(options());
  const std::string whole = text_at(create(server, R"("input":"hi")"), kText);
  const TestResponse stream =
      server.client().post(kResponses, ask(R"("input":"hi","stream":true)"));
  const std::vector<Json> events = events_of(stream.body);
  EXPECT_EQ(stream.header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_EQ(stream.body.find("[DONE]"), std::string::npos);
  const std::string last = text_at(events.back(), "type");
  EXPECT_EQ(types_of(events), (std::vector<std::string>{
      "response.created", "response.in_progress", "response.output_item.added",
      "response.content_part.added", "response.output_text.delta", "response.output_text.done",
      "response.content_part.done", "response.output_item.done", last}));
  EXPECT_TRUE(last == "response.completed" || last == "response.incomplete");
  std::string text;
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(at(events[i], "sequence_number").as_int(), static_cast<std::int64_t>(i));
    if (text_at(events[i], "type").ends_with("text.delta")) text += text_at(events[i], "delta");
  }
  EXPECT_EQ(text, whole);
  EXPECT_EQ(text_at(events.back(), std::string("response.") + kText), whole);
}

TEST_F(ResponsesTest, LogprobsComeWhereTheyAreIncluded) {
  TestServer server(options());
  const Json body = create(server, R"("input":"hi","top_logprobs":2,)"
                                   R"("include":["message.output_text.logprobs"])");
  const Json logprobs = at(body, "output.0.content.0.logprobs");
  ASSERT_TRUE(logprobs.is_array());
  EXPECT_EQ(static_cast<std::int64_t>(logprobs.items().size()),
            at(body, "usage.output_tokens").as_int());
  EXPECT_EQ(at(logprobs.items()[0], "top_logprobs").items().size(), 2u);
}

TEST_F(ResponsesTest, TheWholeInputSentAgainIsTheSameTurn) {
  TestServer server(options("none"));
  const Json first = create(server, R"("store":false,"input":"hi",)"
                                    R"("include":["reasoning.encrypted_content"])");
  EXPECT_EQ(text_at(first, "store"), "false");
  const std::string resent = R"([{"role":"user","content":"hi"},)" +
                             dump(at(first, "output.0")) + R"(,{"role":"user","content":"more"}])";
  const Json second = create(server, "\"store\":false,\"input\":" + resent);
  EXPECT_GT(at(second, "usage.input_tokens_details.cached_tokens").as_int(), 0);
  TestServer keeping(options());
  const Json kept = create(keeping, R"("input":"hi")");
  const Json next = create(keeping, R"("input":"more","previous_response_id":")" +
                                        text_at(kept, "id") + "\"");
  EXPECT_EQ(text_at(next, kText), text_at(second, kText));
}

// Ten turns, each from the one before; `restart_after`: the server ends there and another goes on.
std::vector<std::string> ten_turns(const ServerOptions& options, int restart_after,
                                   std::vector<std::int64_t>& cached) {
  auto server = std::make_unique<TestServer>(options);
  std::vector<std::string> texts;
  std::string previous;
  for (int turn = 0; turn < 10; ++turn) {
    if (turn == restart_after) {
      server = nullptr;
      server = std::make_unique<TestServer>(options);
    }
    std::string fields = R"("input":"turn )" + std::to_string(turn) + " of a conversation\"";
    if (!previous.empty()) fields += R"(,"previous_response_id":")" + previous + "\"";
    const TestResponse answer = server->client().post(kResponses, ask(fields));
    EXPECT_EQ(answer.status, 200) << answer.body;
    const Json body = json_of(answer);
    previous = text_at(body, "id");
    texts.push_back(text_at(body, kText));
    cached.push_back(at(body, "usage.input_tokens_details.cached_tokens").as_int());
  }
  return texts;
}

TEST_F(ResponsesTest, AConversationGoesOnAfterARestart) {
  ServerOptions one = options(), other = options();
  other.archive_path = folder_ + "/other.sqlite3";
  std::vector<std::int64_t> cached_whole, cached_broken;
  const auto whole = ten_turns(one, -1, cached_whole);
  const auto broken = ten_turns(other, 5, cached_broken);
  EXPECT_EQ(whole, broken);
  for (int turn = 1; turn < 10; ++turn) {
    EXPECT_GT(cached_whole[static_cast<std::size_t>(turn)], 0) << turn;
    if (turn != 5) {
      EXPECT_GT(cached_broken[static_cast<std::size_t>(turn)], 0) << turn;
    }
  }
}

TEST_F(ResponsesTest, KeptAnswersAreShownListedAndDeleted) {
  TestServer server(options());
  const Json body = create(server, R"("input":[{"role":"user","content":"a"},)"
                                   R"({"role":"user","content":"b"}])");
  const std::string path = std::string(kResponses) + "/" + text_at(body, "id");
  EXPECT_EQ(json_of(request(server, "GET", path)), body);
  const Json newest = json_of(request(server, "GET", path + "/input_items?limit=1"));
  EXPECT_EQ(text_at(newest, "data.0.content.0.text"), "b");
  EXPECT_EQ(text_at(newest, "has_more"), "true");
  const Json rest = json_of(request(server, "GET", path + "/input_items?after=" +
                                                       text_at(newest, "last_id")));
  EXPECT_EQ(text_at(rest, "data.0.content.0.text"), "a");
  EXPECT_EQ(text_at(rest, "has_more"), "false");
  EXPECT_EQ(request(server, "GET", path + "/input_items?limit=0").status, 400);
  EXPECT_EQ(request(server, "POST", path + "/cancel").status, 400) << "nothing to cancel";
  const Json gone = json_of(request(server, "DELETE", path));
  EXPECT_EQ(text_at(gone, "deleted"), "true");
  EXPECT_EQ(request(server, "GET", path).status, 404);
  EXPECT_EQ(request(server, "DELETE", path).status, 404);
}

TEST_F(ResponsesTest, AnItemCanBeReferredTo) {
  TestServer server(options());
  const Json first = create(server, R"("input":"hi")");
  const Json next = create(server, R"("input":[{"role":"user","content":"hi"},)"
                                   R"({"type":"item_reference","id":")" +
                                       text_at(first, "output.0.id") +
                                       R"("},{"role":"user","content":"more"}])");
  const Json chained = create(server, R"("input":"more","previous_response_id":")" +
                                          text_at(first, "id") + "\"");
  EXPECT_EQ(text_at(next, kText), text_at(chained, kText));
  const std::string unknown = ask(R"("input":[{"type":"item_reference","id":"msg_no"}])");
  EXPECT_EQ(server.client().post(kResponses, unknown).status, 400);
}

TEST_F(ResponsesTest, ATenantSeesItsOwn) {
  ServerOptions locked = options();
  locked.api_keys = {"one", "two"};
  TestServer server(locked);
  const std::string one = "authorization: Bearer one\r\n", two = "authorization: Bearer two\r\n";
  const std::string id = text_at(create(server, R"("input":"hi")", one), "id");
  const std::string path = std::string(kResponses) + "/" + id;
  EXPECT_EQ(request(server, "GET", path, one).status, 200);
  EXPECT_EQ(request(server, "GET", path, two).status, 404);
  EXPECT_EQ(request(server, "GET", path + "/input_items", two).status, 404);
  EXPECT_EQ(request(server, "DELETE", path, two).status, 404);
  EXPECT_EQ(request(server, "GET", path).status, 401);
  const TestResponse stolen = server.client().post(
      kResponses, ask(R"("input":"x","previous_response_id":")" + id + "\""), two);
  EXPECT_EQ(stolen.status, 400);
  EXPECT_EQ(text_at(json_of(stolen), "error.code"), "previous_response_not_found");
}

TEST_F(ResponsesTest, WithoutAStoreNothingIsKeptAndThatIsSaid) {
  TestServer server(options("none"));
  EXPECT_EQ(text_at(create(server, R"("input":"hi","store":true)"), "store"), "false");
  for (const char* fields : {R"("input":"x","previous_response_id":"resp_1")",
                             R"("input":"x","conversation":"conv_1")",
                             R"("input":"x","background":true)"}) {
    EXPECT_EQ(server.client().post(kResponses, ask(fields)).status, 400) << fields;
  }
  EXPECT_EQ(request(server, "GET", "/v1/responses/resp_1").status, 404);
  EXPECT_EQ(server.client().post("/v1/conversations", "{}").status, 400);
}

TEST_F(ResponsesTest, TruncationDropsTheOldestAndSaysSo) {
  TestModelOptions small;
  small.context_max = 256;
  TestServer server(options(), small);
  std::string items;
  for (int i = 0; i < 12; ++i) {
    items += std::string(i > 0 ? "," : "") + R"({"role":"user","content":"message number )" +
             std::to_string(i) + "\"}";
  }
  const TestResponse refused = server.client().post(kResponses, ask("\"input\":[" + items + "]"));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(text_at(json_of(refused), "error.code"), "context_length_exceeded");
  EXPECT_EQ(text_at(json_of(refused), "error.param"), "input");
  const Json body = create(server, R"("truncation":"auto","input":[)" + items + "]");
  EXPECT_EQ(text_at(body, "warnings.0.code"), "input_truncated");
  EXPECT_LE(at(body, "usage.input_tokens").as_int(), 256 - 12);
  EXPECT_GT(at(body, "usage.input_tokens").as_int(), 128) << "no more than has to go";
}

TEST_F(ResponsesTest, MistakesNameTheirField) {
  TestServer server(options());
  const struct {
    const char* fields;
    const char* param;
  } kCases[] = {
      {R"("input":"x","text":{"format":{"type":"json_object"}})", "text.format"},
      {R"("input":"x","tool_choice":"required")", "tool_choice"},
      {R"("input":"x","truncation":"always")", "truncation"},
      {R"("input":"x","include":["everything"])", "include"},
      {R"("input":"x","metadata":{"a":1})", "metadata"},
      {R"("input":"x","reasoning":{"effort":"much"})", "reasoning.effort"},
      {R"("input":"x","conversation":"c","previous_response_id":"r")", "conversation"},
      {R"("input":"x","prompt":{"id":"p"})", "prompt"},
      {R"("input":"x","n":2)", "n"},
      {R"("input":"x","mood":1)", "mood"},
      {R"("input":"x","background":true,"store":false)", "store"},
      {R"("instructions":"x")", "input"},
  };
  for (const auto& c : kCases) {
    const TestResponse answer = server.client().post(kResponses, ask(c.fields));
    EXPECT_EQ(answer.status, 400) << c.fields;
    EXPECT_EQ(text_at(json_of(answer), "error.param"), c.param) << answer.body;
  }
}

TEST_F(ResponsesTest, ToolsThatTheModelIsNotToldOfAreNamed) {
  TestServer server(options());
  const Json body = create(server, R"("input":"x","tools":[{"type":"web_search"},)"
                                   R"({"type":"function","name":"f","parameters":{}}])");
  EXPECT_EQ(text_at(body, "warnings.0.param"), "tools[0]");
  EXPECT_EQ(text_at(body, "warnings.1.code"), "tools_in_words");
  EXPECT_EQ(at(body, "tools").items().size(), 2u);
}

TEST_F(ResponsesTest, InputTokensAreCountedAndConversationsCompacted) {
  TestServer server(options());
  const Json count = json_of(server.client().post("/v1/responses/input_tokens",
                                                  R"({"model":"m","input":"hi"})"));
  const Json asked = create(server, R"("input":"hi")");
  EXPECT_EQ(at(count, "input_tokens"), at(asked, "usage.input_tokens"));
  const TestResponse compact = server.client().post(
      "/v1/responses/compact", R"({"model":"m","input":[{"role":"user","content":"hi"},)"
                               R"({"role":"assistant","content":"ho"}]})");
  EXPECT_EQ(compact.status, 200) << compact.body;
  const Json body = json_of(compact);
  EXPECT_EQ(text_at(body, "object"), "response.compaction");
  ASSERT_EQ(at(body, "output").items().size(), 2u);
  EXPECT_EQ(text_at(body, "output.1.type"), "compaction");
  create(server, "\"input\":[" + dump(at(body, "output.1")) +
                     R"(,{"role":"user","content":"go on"}])");
}

TEST_F(ResponsesTest, AConversationGathersItsTurns) {
  TestServer server(options());
  const Json made = json_of(server.client().post(
      "/v1/conversations", R"({"metadata":{"k":"v"},)"
                           R"("items":[{"role":"user","content":"before"}]})"));
  const std::string id = text_at(made, "id"), path = "/v1/conversations/" + id;
  const Json first = create(server, R"("input":"one","conversation":")" + id + "\"");
  EXPECT_EQ(text_at(first, "conversation.id"), id);
  const Json second = create(server, R"("input":"two","conversation":{"id":")" + id + "\"}");
  EXPECT_GT(at(second, "usage.input_tokens").as_int(), at(first, "usage.input_tokens").as_int());
  const Json items = json_of(request(server, "GET", path + "/items?order=asc"));
  ASSERT_EQ(at(items, "data").items().size(), 5u);
  EXPECT_EQ(text_at(items, "data.0.content.0.text"), "before");
  EXPECT_EQ(text_at(items, "data.3.content.0.text"), "two");
  const std::string item = text_at(items, "data.0.id");
  EXPECT_EQ(text_at(json_of(request(server, "GET", path + "/items/" + item)), "id"), item);
  EXPECT_EQ(request(server, "DELETE", path + "/items/" + item).status, 200);
  EXPECT_EQ(request(server, "GET", path + "/items/" + item).status, 404);
  const Json changed = json_of(server.client().post(path, R"({"metadata":{"k":"w"}})"));
  EXPECT_EQ(text_at(changed, "metadata.k"), "w");
  EXPECT_EQ(text_at(json_of(request(server, "DELETE", path)), "object"), "conversation.deleted");
  EXPECT_EQ(request(server, "GET", path).status, 404);
}

TEST_F(ResponsesTest, ChatCompletionsAreKeptWhereTheyAsk) {
  TestServer server(options());
  const std::string chat = R"({"model":"m","seed":7,"max_tokens":6,"metadata":{"k":"v"},)"
                           R"("messages":[{"role":"user","content":"hi"}])";
  const Json whole =
      json_of(server.client().post("/v1/chat/completions", chat + R"(,"store":true})"));
  const std::string path = "/v1/chat/completions/" + text_at(whole, "id");
  const Json kept = json_of(request(server, "GET", path));
  EXPECT_EQ(at(kept, "choices"), at(whole, "choices"));
  EXPECT_EQ(text_at(kept, "metadata.k"), "v");
  EXPECT_EQ(text_at(json_of(request(server, "GET", path + "/messages")), "data.0.content"), "hi");
  const TestResponse stream = server.client().post(
      "/v1/chat/completions", chat + R"(,"store":true,"stream":true})");
  const std::string id = text_at(events_of(stream.body.substr(0, stream.body.find("\n\n") + 1))
                                     .front(), "id");
  const Json gathered = json_of(request(server, "GET", "/v1/chat/completions/" + id));
  EXPECT_EQ(at(gathered, "choices.0.message"), at(whole, "choices.0.message"));
  const Json list = json_of(request(server, "GET", "/v1/chat/completions?limit=1"));
  EXPECT_EQ(text_at(list, "has_more"), "true");
  EXPECT_EQ(text_at(json_of(server.client().post(path, R"({"metadata":{"k":"w"}})")),
                    "metadata.k"), "w");
  EXPECT_EQ(text_at(json_of(request(server, "DELETE", path)), "deleted"), "true");
  EXPECT_EQ(request(server, "GET", path).status, 404);
  const Json unkept = json_of(server.client().post("/v1/chat/completions", chat + "}"));
  EXPECT_EQ(request(server, "GET", "/v1/chat/completions/" + text_at(unkept, "id")).status, 404);
}

TEST_F(ResponsesTest, WhatIsNotHereIsRefusedByName) {
  TestServer server(options("none"));
  for (const char* path : {"/v1/audio/speech", "/v1/images/generations", "/v1/moderations",
                           "/v1/fine_tuning/jobs", "/v1/threads"}) {
    const TestResponse answer = server.client().post(path, "{}");
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(text_at(json_of(answer), "error.code"), "unsupported_endpoint");
    EXPECT_NE(answer.body.find("This server"), std::string::npos);
  }
}

// --- in the background ---

TEST_F(ResponsesTest, AnAnswerInTheBackgroundCompletes) {
  TestServer server(options());
  const std::string expected = text_at(create(server, R"("input":"hi")"), kText);
  server.gate().close();
  const Json queued = create(server, R"("input":"hi","background":true)");
  EXPECT_EQ(text_at(queued, "status"), "queued");
  const std::string path = std::string(kResponses) + "/" + text_at(queued, "id");
  const std::string early = text_at(json_of(request(server, "GET", path)), "status");
  EXPECT_TRUE(early == "queued" || early == "in_progress") << early;
  server.gate().open();
  Json body;
  do {
    body = json_of(request(server, "GET", path));
  } while (text_at(body, "status") == "queued" || text_at(body, "status") == "in_progress");
  EXPECT_EQ(text_at(body, kText), expected);
  EXPECT_EQ(request(server, "GET", path + "?stream=true").status, 400) << "it was no stream";
}

TEST_F(ResponsesTest, AStreamInTheBackgroundCanBeJoinedAndReadAgain) {
  TestServer server(options());
  server.gate().close();
  TestClient first = server.client();
  first.send(post_bytes(kResponses, ask(R"("input":"hi","background":true,"stream":true)")));
  server.gate().let_pass(6);
  std::string head;
  while (head.find("response.output_text.delta") == std::string::npos) head += first.receive_some();
  first.close();  // who asked has left
  const std::size_t from = head.find("\"id\":\"resp_");
  const std::string id = head.substr(from + 6, head.find('"', from + 6) - from - 6);
  const std::string path = std::string(kResponses) + "/" + id + "?stream=true";
  TestClient second = server.client();
  second.send("GET " + path + " HTTP/1.1\r\nhost: x\r\n\r\n");
  server.gate().open();
  const std::vector<Json> events = events_of(second.receive().body);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(text_at(events.front(), "type"), "response.created");
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(at(events[i], "sequence_number").as_int(), static_cast<std::int64_t>(i));
  }
  server.wait_for_metric("quire_requests_running", 0);
  const std::vector<Json> again = events_of(request(server, "GET", path).body);
  EXPECT_EQ(again, events);
  const std::vector<Json> rest = events_of(request(server, "GET", path + "&starting_after=4").body);
  ASSERT_EQ(rest.size() + 5, events.size());
  EXPECT_EQ(rest.front(), events[5]);
  EXPECT_EQ(request(server, "GET", path + "&starting_after=x").status, 400);
}

TEST_F(ResponsesTest, AnAnswerInTheBackgroundIsCancelled) {
  TestServer server(options());
  server.gate().close();
  const Json queued = create(server, R"("input":"hi","background":true)");
  const std::string path = std::string(kResponses) + "/" + text_at(queued, "id");
  const Json cancelled = json_of(request(server, "POST", path + "/cancel"));
  EXPECT_EQ(text_at(cancelled, "status"), "cancelled");
  server.gate().open();
  server.wait_for_metric("quire_requests_running", 0);
  EXPECT_EQ(text_at(json_of(request(server, "GET", path)), "status"), "cancelled");
  EXPECT_EQ(text_at(json_of(request(server, "POST", path + "/cancel")), "status"), "cancelled");
}

TEST_F(ResponsesTest, WhatAnEndedServerLeftUnfinishedHasFailed) {
  std::string path;
  {
    auto archive = archive::Archive::open(options().archive_path, {});
    ASSERT_TRUE((*archive)->keep({.kind = "response", .id = "resp_1", .created = 1, .model = "m",
                                  .state = "queued", .body = R"({"id":"resp_1","status":"queued"})",
                                  .input = "[]"}).is_ok());
  }
  TestServer server(options());
  const Json body = json_of(request(server, "GET", "/v1/responses/resp_1"));
  EXPECT_EQ(text_at(body, "status"), "failed");
  EXPECT_EQ(text_at(body, "error.code"), "server_error");
  EXPECT_EQ(server.client().post(kResponses, ask(R"("input":"x","previous_response_id":"resp_1")"))
                .status, 400);
}

TEST_F(ResponsesTest, AClientThatLeavesEndsItsAnswer) {
  TestServer server(options());
  server.gate().close();
  TestClient client = server.client();
  client.send(post_bytes(kResponses, ask(R"("input":"hi","stream":true)")));
  server.gate().let_pass(2);
  client.receive_some();
  client.close();
  server.gate().open();
  server.wait_for_metric("quire_requests_running", 0);
  server.wait_for_metric("quire_kv_blocks{state=\"referenced\"}", 0);
}

}  // namespace
}  // namespace quire
