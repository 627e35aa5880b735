// The status and explain endpoints over real sockets: what they tell agrees with usage and with
// /metrics, streams end, everything is bounded.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "serve/status/status_feed.h"
#include "serve/testing/test_json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

constexpr const char* kStatus = "/quire/status";
constexpr const char* kStream = "GET /quire/status/stream HTTP/1.1\r\nHost: t\r\n\r\n";

std::uint64_t number(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  if (value == nullptr || !value->is_int()) ADD_FAILURE() << name << " in " << dump(object);
  return value != nullptr && value->is_int() ? value->as_uint() : 0;
}

std::string text(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

Json snapshot(const TestServer& server) { return json_of(server.client().get(kStatus)); }
Json model_of(const Json& snapshot) { return snapshot.find("models")->items().front(); }

Json explain(const TestServer& server, const std::string& id) {
  return json_of(server.client().get("/debug/requests/" + id));
}

// Accepted ones, alive or not.
std::vector<Json> requests(const TestServer& server) {
  return json_of(server.client().get("/debug/requests")).find("requests")->items();
}
void wait_for_requests(const TestServer& server, std::size_t count) {
  while (requests(server).size() < count) std::this_thread::yield();
}

std::string completion(const std::string& prompt, int tokens, const std::string& more = "") {
  return R"({"model":"m","ignore_eos":true,"prompt":")" + prompt + R"(","max_tokens":)" +
         std::to_string(tokens) + more + "}";
}

// Reads events of the stream until there are `count`; fewer: it ended.
std::vector<Json> read_events(TestClient& client, std::string& bytes, std::size_t count) {
  std::vector<Json> events;
  while (events.size() < count) {
    const std::size_t begin = bytes.find("data: ");
    const std::size_t end = begin == std::string::npos ? begin : bytes.find("\n\n", begin);
    if (end != std::string::npos) {
      events.push_back(*parse_json(bytes.substr(begin + 6, end - begin - 6)));
      bytes.erase(0, end + 2);
      continue;
    }
    if (bytes.ends_with("\r\n0\r\n\r\n")) break;
    const std::string more = client.receive_some();
    if (more.empty()) break;
    bytes += more;
  }
  return events;
}

// --- the snapshot ---

TEST(StatusTest, AnIdleServerIsToldInFull) {
  TestServer server;
  const TestResponse response = server.client().get(kStatus);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "application/json");
  EXPECT_EQ(response.header("cache-control"), "no-store");
  const Json body = json_of(response);
  EXPECT_EQ(text(body, "version"), "test");
  EXPECT_GT(number(body, "time"), 1'700'000'000u);
  EXPECT_GT(number(body, "rss_bytes"), 1'000'000u);
  EXPECT_TRUE(body.find("heap_bytes")->is_number());  // 0 under a sanitizer
  EXPECT_FALSE(body.find("draining")->as_bool());
  const Json model = model_of(body);
  EXPECT_EQ(text(model, "name"), "m");
  EXPECT_EQ(model.find("aliases")->items().at(0).as_string(), "other-name");
  EXPECT_EQ(text(model, "state"), "ready");
  EXPECT_EQ(text(model, "isa"), "script");
  EXPECT_EQ(number(model, "context_max"), 1024u);
  EXPECT_EQ(number(model, "rows_max"), 64u);
  EXPECT_EQ(number(model, "tokens_max"), 512u);
  EXPECT_EQ(number(model, "requests_total"), 0u);
  EXPECT_TRUE(model.find("answered")->as_bool());
  EXPECT_TRUE(model.find("latency_ms")->find("ttft")->find("p50")->is_null());
  EXPECT_TRUE(model.find("prefix")->find("hit_rate")->is_null());
  const Json& kv = *model.find("kv");
  EXPECT_EQ(text(kv, "map"), std::string(512, 'f'));
  EXPECT_EQ(number(kv, "block_tokens"), 32u);
  EXPECT_EQ(number(kv, "blocks"), 512u);
  ASSERT_EQ(kv.find("groups")->items().size(), 1u);
  EXPECT_EQ(text(kv.find("groups")->items()[0], "map"), text(kv, "map"));
  EXPECT_EQ(number(*model.find("radix"), "nodes"), 0u);
  EXPECT_TRUE(model.find("radix")->find("by_age")->items().back().find("steps_ago_max")->is_null());
  EXPECT_TRUE(model.find("steps")->items().empty());
}

TEST(StatusTest, TheSnapshotAgreesWithTheMetrics) {
  TestServer server;
  for (int i = 0; i < 3; ++i) {
    server.client().post("/v1/completions", completion(std::string(200, 'a'), 20, R"(,"n":2)"));
  }
  Json model = model_of(snapshot(server));
  while (text(*model.find("kv"), "map").find('c') == std::string::npos) {
    model = model_of(snapshot(server));  // an answer may be shown again for a moment
  }
  const auto expect_metric = [&](std::uint64_t value, const char* series) {
    EXPECT_EQ(static_cast<double>(value), server.metric(series)) << series;
  };
  const Json& tokens = *model.find("tokens");
  expect_metric(number(tokens, "prompt_total"), "quire_prompt_tokens_total");
  expect_metric(number(tokens, "cached_total"), "quire_prefix_cached_tokens_total");
  expect_metric(number(tokens, "generated_total"), "quire_generated_tokens_total");
  expect_metric(number(*model.find("kv"), "cached"), "quire_kv_blocks{state=\"cached\"}");
  const Json& latency = *model.find("latency_ms");
  expect_metric(number(*latency.find("ttft"), "count"), "quire_time_to_first_token_seconds_count");
  expect_metric(number(*latency.find("itl"), "count"), "quire_inter_token_latency_seconds_count");
  expect_metric(number(*latency.find("step"), "count"), "quire_step_seconds_count");
  EXPECT_EQ(number(model, "requests_total"), 3u);
  EXPECT_GT(tokens.find("generated_per_s")->as_double(), 0);
  EXPECT_GT(model.find("prefix")->find("hit_rate")->as_double(), 0.5);
  EXPECT_EQ(model.find("radix")->find("largest")->items().empty(), false);
  const auto& steps = model.find("steps")->items();
  ASSERT_EQ(steps.size(), ModelRecord::kStepsShown);
  EXPECT_EQ(static_cast<double>(number(steps.back(), "step")), server.metric("quire_steps_total"));
  const Json& row = steps.back().find("rows")->items().front();
  EXPECT_EQ(text(row, "phase"), "decode");
  EXPECT_EQ(text(explain(server, text(row, "request")), "state"), "finished");
}

TEST(StatusTest, InstancesAreShownAsOneModel) {
  TestModelOptions options;
  options.blocks = 9;
  options.instances = 3;
  TestServer server({}, options);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(server.client().post("/v1/completions", completion("abc", 2)).status, 200);
  }
  const Json model = model_of(snapshot(server));
  EXPECT_EQ(number(model, "instances"), 3u);
  const Json& kv = *model.find("kv");
  EXPECT_EQ(number(kv, "blocks"), 27u);
  EXPECT_EQ(text(kv, "map").size(), 27u);
  const Json& group = kv.find("groups")->items().at(0);
  EXPECT_EQ(number(group, "blocks"), 27u);
  EXPECT_EQ(number(group, "free") + number(group, "cached") + number(group, "referenced"), 27u);
  EXPECT_EQ(number(*model.find("prefix"), "prompt_tokens"), 12u);
  const auto& steps = model.find("steps")->items();
  ASSERT_FALSE(steps.empty());
  for (const Json& step : steps) EXPECT_LT(number(step, "instance"), 3u);
  EXPECT_EQ(server.metric("quire_kv_blocks{state=\"free\"}") +
                server.metric("quire_kv_blocks{state=\"cached\"}") +
                server.metric("quire_kv_blocks{state=\"referenced\"}"), 27);
}

TEST(StatusTest, EveryKvGroupIsTold) {
  TestModelOptions options;
  options.more_groups = {
      {.name = "window", .layers = 2, .blocks = 101, .window = 64, .sinks = 4,
       .bytes_per_block = 4096, .k_type = "I8", .v_type = "Q4_1"},
      {.name = "state", .layers = 3, .holds = GroupHolds::kState, .blocks = 21,
       .bytes_per_block = 1 << 20}};
  TestServer server({}, options);
  server.client().post("/v1/completions", completion(std::string(200, 'a'), 20));
  std::vector<Json> groups;
  do {  // an answer may be shown again for a moment
    const Json kv = *model_of(snapshot(server)).find("kv");
    groups = kv.find("groups")->items();
    ASSERT_EQ(groups.size(), 3u);
    EXPECT_EQ(groups[0].find("map")->as_string(), text(kv, "map"));
  } while (text(groups[0], "map").find('c') == std::string::npos ||
           text(groups[0], "map").find('r') != std::string::npos);
  const Json &window = groups[1], &state = groups[2];
  EXPECT_EQ(text(groups[0], "holds"), "positions");
  EXPECT_TRUE(groups[0].find("window")->is_null());
  EXPECT_EQ(text(window, "name"), "window");
  EXPECT_EQ(text(window, "holds"), "positions");
  EXPECT_EQ(text(window, "of"), "text");
  EXPECT_EQ(number(window, "layers"), 2u);
  EXPECT_EQ(number(window, "block_tokens"), 32u);
  EXPECT_EQ(number(window, "window"), 64u);
  EXPECT_EQ(number(window, "sinks"), 4u);
  EXPECT_EQ(text(window, "k_type"), "I8");
  EXPECT_EQ(text(window, "v_type"), "Q4_1");
  EXPECT_TRUE(state.find("k_type")->is_null());
  EXPECT_EQ(number(window, "bytes_per_block"), 4096u);
  EXPECT_EQ(text(state, "holds"), "state");
  EXPECT_EQ(number(state, "bytes_per_block"), 1u << 20);
  for (const auto& [group, blocks] : {std::pair(groups[0], 512u), std::pair(window, 100u),
                                      std::pair(state, 20u)}) {
    EXPECT_EQ(number(group, "blocks"), blocks);
    EXPECT_EQ(text(group, "map").size(), blocks);
    EXPECT_EQ(number(group, "free") + number(group, "cached"), blocks);
    EXPECT_GT(number(group, "cached"), 0u);
    EXPECT_EQ(number(group, "referenced"), 0u);
    EXPECT_EQ(number(group, "shared"), 0u);
  }
}

TEST(StatusTest, ABusyEngineIsToldAsBusy) {
  TestServer server;
  server.gate().close();
  TestClient client = server.client();
  client.send(post_bytes("/v1/completions", completion("hello", 5)));
  wait_for_requests(server, 1);
  Json model = model_of(snapshot(server));
  while (model.find("answered")->as_bool()) model = model_of(snapshot(server));
  EXPECT_EQ(number(*model.find("kv"), "blocks"), 512u);
  server.gate().open();
  EXPECT_EQ(client.receive().status, 200);
  while (!model_of(snapshot(server)).find("answered")->as_bool()) {
  }
}

TEST(StatusTest, AModelThatIsNotInMemoryHasNoMap) {
  const auto gate = std::make_shared<StepGate>();
  auto host = std::make_unique<ModelHost>();
  for (const char* name : {"here", "away"}) {
    ASSERT_TRUE(host->add(make_test_recipe({.names = {name}}, gate)).is_ok());
  }
  ASSERT_TRUE(host->load_now(0).is_ok());
  TestServer server({}, gate, std::move(host));
  Json body = snapshot(server);
  EXPECT_EQ(text(body.find("models")->items().at(0), "state"), "ready");
  const Json away = body.find("models")->items().at(1);
  EXPECT_EQ(text(away, "name"), "away");
  EXPECT_EQ(text(away, "state"), "unloaded");
  EXPECT_EQ(text(*away.find("kv"), "map"), "");
  EXPECT_TRUE(away.find("kv")->find("groups")->items().empty());
  EXPECT_TRUE(away.find("radix")->is_null());
  const std::string prompt = R"({"model":"away","prompt":"hello","max_tokens":3})";
  EXPECT_EQ(server.client().post("/v1/completions", prompt).status, 200);
  while (!body.find("models")->items().at(1).find("answered")->as_bool()) body = snapshot(server);
  EXPECT_EQ(text(*body.find("models")->items().at(1).find("kv"), "map").size(), 512u);
  EXPECT_EQ(text(requests(server).front(), "model"), "away");
  EXPECT_EQ(number(body.find("models")->items().at(0), "requests_total"), 0u);
}

// --- the stream ---

TEST(StatusTest, TheStreamMovesAndEndsWithItsClients) {
  TestServer server;
  TestClient client = server.client();
  client.send(kStream);
  std::string bytes;
  const std::vector<Json> first = read_events(client, bytes, 1);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(number(*model_of(first[0]).find("tokens"), "generated_total"), 0u);
  server.client().post("/v1/completions", completion("hello", 7));
  Json last = first[0];
  while (number(*model_of(last).find("tokens"), "generated_total") != 7) {
    const std::vector<Json> next = read_events(client, bytes, 1);  // a second later
    ASSERT_EQ(next.size(), 1u);
    EXPECT_GT(next[0].find("uptime_s")->as_double(), last.find("uptime_s")->as_double());
    last = next[0];
  }
}

TEST(StatusTest, WatchersAreBoundedAndMakeRoomWhenTheyLeave) {
  TestServer server;
  std::vector<TestClient> watchers;
  for (std::size_t i = 0; i < StatusFeed::kWatchersMax; ++i) {
    watchers.push_back(server.client());
    watchers.back().send(kStream);
    EXPECT_NE(watchers.back().receive_some().find("text/event-stream"), std::string::npos);
  }
  const TestResponse refused = server.client().get("/quire/status/stream");
  EXPECT_EQ(refused.status, 503);
  EXPECT_FALSE(refused.header("retry-after").empty());
  EXPECT_EQ(server.client().get(kStatus).status, 200);
  watchers.pop_back();
  for (;;) {  // until the server has noticed
    TestClient late = server.client();
    late.send(kStream);
    if (late.receive_some().find(" 200 ") != std::string::npos) break;
  }
}

TEST(StatusTest, StreamsEndWhenTheServerDrains) {
  TestServer server;
  server.gate().close();
  TestClient busy = server.client(), watcher = server.client(), other = server.client();
  busy.send(post_bytes("/v1/completions", completion("hello", 5)));
  wait_for_requests(server, 1);  // who comes after the stop is refused
  watcher.send(kStream);
  std::string bytes;
  ASSERT_EQ(read_events(watcher, bytes, 1).size(), 1u);
  EXPECT_EQ(other.get("/ready").status, 200);
  server.request_stop();
  EXPECT_LT(read_events(watcher, bytes, 1000).size(), 1000u) << "it ended";
  EXPECT_EQ(other.get("/quire/status/stream").status, 503);
  EXPECT_TRUE(json_of(other.get(kStatus)).find("draining")->as_bool());
  server.gate().open();
  EXPECT_EQ(busy.receive().status, 200);
  server.join();
}

TEST(StatusTest, AHeadOfTheStreamIsNoStream) {
  TestServer server;
  TestClient client = server.client();
  client.send("HEAD /quire/status/stream HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.receive(true).status, 200);
  EXPECT_EQ(client.get("/health").status, 200) << "the connection is in step";
}

TEST(StatusTest, KeysGuardStatusAndRequests) {
  ServerOptions options;
  options.api_keys = {"sesame"};
  TestServer server(options);
  TestClient client = server.client();
  for (const char* path : {kStatus, "/quire/status/stream", "/debug/requests",
                           "/debug/requests/chatcmpl-1"}) {
    EXPECT_EQ(client.get(path).status, 401) << path;
  }
  client.send("GET /quire/status HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesame\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
}

// --- requests ---

TEST(StatusTest, ARequestIsExplainedWhileItWaitsRunsAndAfterwards) {
  TestServer server({}, {.rows_max = 1});
  server.gate().close();
  TestClient first = server.client(), second = server.client();
  const auto ask_as = [&](TestClient& client, const char* id) {
    client.send(post_bytes("/v1/completions", completion("hello", 5),
                           "X-Request-Id: " + std::string(id) + "\r\n"));
  };
  ask_as(first, "one");
  wait_for_requests(server, 1);
  server.gate().let_pass(1);
  while (text(explain(server, "one"), "state") != "running") std::this_thread::yield();
  ask_as(second, "two");
  wait_for_requests(server, 2);
  const Json waiting = explain(server, "two");
  EXPECT_EQ(text(waiting, "state"), "waiting");
  EXPECT_TRUE(waiting.find("ttft_ms")->is_null());
  EXPECT_TRUE(waiting.find("total_ms")->is_null());
  EXPECT_TRUE(waiting.find("finish_reason")->is_null());
  EXPECT_EQ(text(waiting.find("events")->items().front(), "kind"), "queued");
  server.gate().open();
  const TestResponse answer = first.receive();
  EXPECT_EQ(second.receive().status, 200);
  const Json one = explain(server, "one");
  EXPECT_EQ(text(one, "id"), text(json_of(answer), "id"));
  EXPECT_EQ(explain(server, text(one, "id")), one);
  EXPECT_EQ(text(one, "state"), "finished");
  EXPECT_EQ(text(one, "finish_reason"), "length");
  EXPECT_EQ(text(one, "endpoint"), "/v1/completions");
  EXPECT_EQ(text(one, "model"), "m");
  EXPECT_GT(one.find("total_ms")->as_double(), one.find("ttft_ms")->as_double());
  std::vector<std::string> kinds;
  for (const Json& event : one.find("events")->items()) kinds.push_back(text(event, "kind"));
  EXPECT_EQ(kinds, (std::vector<std::string>{"queued", "admitted", "prefill", "first_token",
                                             "decode", "finished"}));
  const Json& run = one.find("events")->items()[4];
  EXPECT_EQ(number(run, "tokens"), 4u);
  EXPECT_EQ(run.find("steps")->items()[1].as_int() - run.find("steps")->items()[0].as_int(), 3);
  EXPECT_EQ(run.find("branch"), nullptr);

  const TestResponse unknown = server.client().get("/debug/requests/chatcmpl-nobody");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(text(*json_of(unknown).find("error"), "code"), "request_not_found");
  EXPECT_EQ(text(requests(server).front(), "request_id"), "two") << "the newest first";
}

TEST(StatusTest, NeighboursInTheSameStepsAreNamed) {
  TestServer server;
  server.gate().close();
  TestClient a = server.client(), b = server.client();
  a.send(post_bytes("/v1/completions", completion("first one", 30)));
  b.send(post_bytes("/v1/completions", completion("another", 30)));
  wait_for_requests(server, 2);
  server.gate().open();
  const std::string id_a = text(json_of(a.receive()), "id");
  const std::string id_b = text(json_of(b.receive()), "id");
  for (const auto& [id, other] : {std::pair(id_a, id_b), std::pair(id_b, id_a)}) {
    const Json record = explain(server, id);
    const Json* run = nullptr;
    for (const Json& event : record.find("events")->items()) {
      if (text(event, "kind") == "decode") run = &event;
    }
    ASSERT_NE(run, nullptr);
    EXPECT_EQ(number(*run, "shared_count"), 1u);
    EXPECT_EQ(*run->find("shared_with"), Json::array({other}));
  }
}

TEST(StatusTest, TheRingForgetsTheOldest) {
  TestServer server;
  TestClient client = server.client();
  std::string first;
  for (std::size_t i = 0; i < RequestLog::kFinishedMax + 20; ++i) {
    const TestResponse response = client.post("/v1/completions", completion("a", 1));
    if (i == 0) first = text(json_of(response), "id");
  }
  EXPECT_EQ(server.client().get("/debug/requests/" + first).status, 404);
  EXPECT_EQ(requests(server).size(), RequestLog::kFinishedMax);
}

// What the records of all requests say together, event by event.
struct Sums {
  std::uint64_t prompt = 0, cached = 0, cached_in_events = 0, generated = 0, preemptions = 0;
  std::uint64_t fed = 0, generated_in_events = 0, preempted_events = 0, cancelled = 0;
};

void add_events(const Json& record, Sums& sums) {
  std::set<std::int64_t> preempted;  // branches: what they take again counts no more
  for (const Json& event : record.find("events")->items()) {
    const std::string kind = text(event, "kind");
    const Json* branch = event.find("branch");
    const std::int64_t index = branch != nullptr ? branch->as_int() : 0;
    if (kind == "preempted") {
      ++sums.preempted_events;
      preempted.insert(index);
    }
    const Json* cached = event.find("cached");
    if (cached != nullptr && !preempted.contains(index)) sums.cached_in_events += cached->as_uint();
    if (kind != "prefill" && kind != "decode") continue;
    sums.fed += number(event, "tokens");
    sums.generated_in_events += number(event, "generated");
  }
}

Sums sum_up(const TestServer& server) {
  Sums sums;
  for (const Json& entry : requests(server)) {
    const Json record = explain(server, text(entry, "id"));
    EXPECT_EQ(text(record, "state"), "finished");
    const auto& events = record.find("events")->items();
    const bool has_begun = std::any_of(events.begin(), events.end(), [](const Json& event) {
      return text(event, "kind") == "admitted";
    });
    if (has_begun) sums.prompt += number(record, "prompt_tokens");
    sums.cached += number(record, "cached_tokens");
    sums.generated += number(record, "generated_tokens");
    sums.preemptions += number(record, "preemptions");
    sums.cancelled += text(record, "finish_reason") == "cancelled";
    EXPECT_EQ(number(record, "events_dropped"), 0u);
    add_events(record, sums);
  }
  return sums;
}

void expect_usage(const TestServer& server, const TestResponse& answer) {
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json body = json_of(answer);
  const Json record = explain(server, text(body, "id"));
  const Json& usage = *body.find("usage");
  EXPECT_EQ(number(record, "prompt_tokens"), number(usage, "prompt_tokens"));
  EXPECT_EQ(number(record, "generated_tokens"), number(usage, "completion_tokens"));
  EXPECT_EQ(number(record, "cached_tokens"),
            number(*usage.find("prompt_tokens_details"), "cached_tokens"));
}

// Forks, equal beginnings, several prompts, clients that leave, in a pool that is too small.
TEST(StatusTest, TheRecordsAddUpToUsageAndMetrics) {
  TestServer server({}, {.blocks = 30, .context_max = 512, .rows_max = 12});
  server.gate().close();
  std::vector<TestClient> staying, leaving;
  for (int i = 0; i < 8; ++i) {
    const std::string prompt = std::string(70, 'p') + std::to_string(i % 3);
    const std::string more = i % 3 == 0 ? R"(,"n":3)" : "";
    staying.push_back(server.client());
    staying.back().send(post_bytes("/v1/completions", completion(prompt, 120, more)));
    if (i % 2 == 1) continue;
    leaving.push_back(server.client());
    leaving.back().send(post_bytes("/v1/completions", completion("leaves", 400)));
  }
  staying.push_back(server.client());
  staying.back().send(post_bytes("/v1/completions",
                                 R"({"model":"m","prompt":["one","two"],"max_tokens":9,"n":2})"));
  wait_for_requests(server, staying.size() + leaving.size());
  while (server.metric("quire_preemptions_total") < 1) server.gate().let_pass(1);
  const auto count = static_cast<double>(leaving.size());
  leaving.clear();
  server.wait_for_metric("quire_clients_left_total", count);
  server.gate().open();
  std::vector<TestResponse> answers;
  for (TestClient& client : staying) answers.push_back(client.receive());
  server.wait_for_metric("quire_requests_running", 0);

  for (const TestResponse& answer : answers) expect_usage(server, answer);
  const Sums sums = sum_up(server);
  const auto expect_metric = [&](std::uint64_t value, const char* series) {
    EXPECT_EQ(static_cast<double>(value), server.metric(series)) << series;
  };
  EXPECT_EQ(sums.cancelled, static_cast<std::uint64_t>(count));
  EXPECT_GT(sums.preemptions, 0u);
  EXPECT_GT(sums.cached, 0u);
  EXPECT_EQ(sums.preempted_events, sums.preemptions);
  EXPECT_EQ(sums.generated_in_events, sums.generated);
  expect_metric(sums.prompt, "quire_prompt_tokens_total");
  expect_metric(sums.cached_in_events, "quire_prefix_cached_tokens_total");
  expect_metric(sums.generated, "quire_generated_tokens_total");
  expect_metric(sums.preemptions, "quire_preemptions_total");
  expect_metric(sums.fed, "quire_computed_tokens_total");
}

}  // namespace
}  // namespace quire
