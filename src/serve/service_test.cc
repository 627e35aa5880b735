// Requests that wait for their grammar, over real sockets: nobody else waits, everybody who asked
// is answered, and what cannot be compiled is a sentence that names the field.
#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <thread>
#include <vector>

#include "base/json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

constexpr const char* kCompletions = "/v1/completions";

// Allows everything.
class Anything final : public Constraint {
  class State final : public ConstraintState {
    Result<bool> write_mask(std::span<std::uint32_t>) override { return false; }
    Status accept(TokenId) override { return ok_status(); }
    Status roll_back(std::size_t) override { return ok_status(); }
    std::span<const TokenId> forced() const override { return {}; }
    bool is_over() const override { return false; }
    bool may_end() const override { return true; }
  };

 public:
  Result<std::unique_ptr<ConstraintState>> begin() const override {
    return std::unique_ptr<ConstraintState>(std::make_unique<State>());
  }
};

// A server whose grammars are compiled when the test says so.
struct Bench {
  explicit Bench(GrammarsOptions options = {})
      : grammars(std::make_shared<Grammars>(
            [this](const GrammarSource& source) -> Grammars::Outcome {
              ++compiled;
              may_end.acquire();
              if (source.text == "bad") return Status(StatusCode::kInvalidArgument, "it is bad");
              if (source.text.find("too_odd") != std::string::npos) {
                return Status(StatusCode::kUnsupported, "it is odd");
              }
              if (source.text == "big") return Status(StatusCode::kResourceExhausted, "it is big");
              return std::shared_ptr<const Constraint>(std::make_shared<Anything>());
            },
            options)),
        server({}, {.grammars = grammars}) {}
  ~Bench() { may_end.release(100); }

  std::string ask(const std::string& regex) {
    return R"({"model":"m","prompt":"ab","ignore_eos":true,"seed":1,"max_tokens":4,)"
           R"("guided_regex":")" + regex + "\"}";
  }
  TestResponse post(const std::string& regex) {
    return server.client().post(kCompletions, ask(regex));
  }
  std::string error_of(const TestResponse& response, const char* key) {
    const auto body = parse_json(response.body);
    const Json* error = body.is_ok() ? body->find("error") : nullptr;
    const Json* value = error != nullptr ? error->find(key) : nullptr;
    return value != nullptr && value->is_string() ? value->as_string() : response.body;
  }

  std::atomic<int> compiled = 0;
  std::counting_semaphore<> may_end{0};
  std::shared_ptr<Grammars> grammars;
  TestServer server;
};

TEST(ServiceTest, RequestsWaitForTheirGrammarAndNobodyElseDoes) {
  Bench bench;
  std::atomic<int> served = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] { served += bench.post("a").status == 200; });
  }
  while (bench.grammars->stats().waiting < 3) std::this_thread::yield();
  const TestResponse other = bench.server.client().post(
      kCompletions, R"({"model":"m","prompt":"ab","ignore_eos":true,"max_tokens":4})");
  EXPECT_EQ(other.status, 200);
  EXPECT_EQ(served, 0);
  bench.may_end.release();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(served, 3);
  EXPECT_EQ(bench.post("a").status, 200);
  EXPECT_EQ(bench.compiled, 1);
}

TEST(ServiceTest, WhatCannotBeCompiledIsASentence) {
  Bench bench;
  bench.may_end.release(2);
  for (int i = 0; i < 2; ++i) {
    const TestResponse bad = bench.post("bad");
    EXPECT_EQ(bad.status, 400);
    EXPECT_EQ(bench.error_of(bad, "message"), "Invalid 'guided_regex': it is bad.");
    EXPECT_EQ(bench.error_of(bad, "param"), "guided_regex");
  }
  EXPECT_EQ(bench.error_of(bench.post("big"), "message"), "Invalid 'guided_regex': it is big.");
  EXPECT_EQ(bench.compiled, 2);
}

// Nothing was promised of a tool that may be called; whoever asked is told all the same, also where
// the failure is known already.
TEST(ServiceTest, ToolsThatNothingHoldsTheAnswerToAreTold) {
  Bench bench;
  bench.may_end.release(10);
  const std::string shared = R"({"model":"m","max_tokens":4,"messages":[{"role":"user",)"
                             R"("content":"a"}],)";
  const std::string function = R"("tools":[{"type":"function","function":{"name":"too_odd"}}])";
  const std::string flat = R"([{"type":"function","name":"too_odd"}])";
  const std::pair<const char*, std::string> kAsked[] = {
      {"/v1/chat/completions", shared + function + "}"},
      {"/v1/chat/completions", shared + function + R"(,"stream":true})"},
      {"/v1/chat/completions", shared + function + R"(,"store":true})"},
      {"/v1/responses",
       R"({"model":"m","max_output_tokens":4,"input":"a","tools":)" + flat + "}"},
      {"/v1/messages", shared + R"("tools":[{"name":"too_odd","input_schema":{"type":"object",)"
                                R"("properties":{}}}]})"},
  };
  for (const auto& [path, body] : kAsked) {
    const TestResponse response = bench.server.client().post(path, body);
    EXPECT_EQ(response.status, 200) << path << response.body;
    EXPECT_NE(response.body.find(R"("code":"tools_not_enforced")"), std::string::npos)
        << path << response.body;
    EXPECT_NE(response.body.find("it is odd"), std::string::npos) << path << response.body;
  }
  EXPECT_EQ(bench.compiled, 1);
  EXPECT_EQ(bench.server.metric("quire_tools_not_enforced_total"), 5);
}

TEST(ServiceTest, TooManyThatWaitAreTold) {
  Bench bench({.sources_waiting_max = 1});
  TestClient waiting = bench.server.client();
  waiting.send(post_bytes(kCompletions, bench.ask("a")));
  while (bench.grammars->stats().waiting < 1) std::this_thread::yield();
  const TestResponse refused = bench.post("b");
  EXPECT_EQ(refused.status, 429);
  EXPECT_FALSE(refused.header("retry-after").empty());
  bench.may_end.release();
  EXPECT_EQ(waiting.receive().status, 200);
}

TEST(ServiceTest, AClientThatLeavesWhileItWaitsIsForgotten) {
  Bench bench;
  {
    TestClient client = bench.server.client();
    client.send(post_bytes(kCompletions, bench.ask("a")));
    while (bench.grammars->stats().waiting < 1) std::this_thread::yield();
  }
  bench.server.gate().close();  // it is seen to have left while it waits, or at the latest here
  bench.may_end.release();
  bench.server.wait_for_metric("quire_clients_left_total", 1);
}

TEST(ServiceTest, AModelWithoutGrammarsSaysSo) {
  TestServer server;
  const TestResponse response = server.client().post(
      kCompletions, R"({"model":"m","prompt":"ab","guided_regex":"a"})");
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(response.body.find("cannot be constrained"), std::string::npos) << response.body;
}

}  // namespace
}  // namespace quire
