// Models that come and go while the server answers: who runs is not disturbed, who asks for what is
// gone is told so, what was kept of it goes with it, and what the store has is served on demand.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "base/json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

// Recipes for every name that begins with "stored".
class StoredCatalog final : public ModelCatalog {
 public:
  explicit StoredCatalog(std::shared_ptr<StepGate> gate) : gate_(std::move(gate)) {}

  Result<ModelRecipe> recipe(const std::string&, std::vector<std::string> names,
                             const ModelOverrides&) const override {
    ++made;
    TestModelOptions model;
    model.names = std::move(names);
    return make_test_recipe(model, gate_);
  }
  bool has(const std::string& name) const override { return name.starts_with("stored"); }
  std::vector<std::string> names() const override { return {"stored"}; }
  bool is_on_demand() const override { return is_wanted; }

  mutable std::atomic<int> made{0};
  bool is_wanted = true;

 private:
  std::shared_ptr<StepGate> gate_;
};

class ModelChanges : public ::testing::Test {
 protected:
  void SetUp() override {
    auto host = std::make_unique<ModelHost>();
    host_ = host.get();
    add("kept", steps_);
    ServerOptions options;
    options.catalog = &catalog_;
    server_.emplace(std::move(options), steps_, std::move(host));
  }

  std::size_t add(const std::string& name, std::shared_ptr<StepGate> steps) {
    TestModelOptions model;
    model.names = {name};
    const auto added = host_->add(make_test_recipe(model, std::move(steps)));
    EXPECT_TRUE(added.is_ok()) << added.status().message();
    return added.is_ok() ? *added : std::size_t{999};
  }
  TestResponse post(const std::string& body) {
    return server_->client().post(kCompletionsPath, body);
  }
  std::string metrics() { return server_->client().get("/metrics").body; }
  static std::string rest_of(TestClient& client) {
    std::string rest;
    while (rest.find("[DONE]") == rest.npos) {
      const std::string piece = client.receive_some();
      if (piece.empty()) break;
      rest += piece;
    }
    return rest;
  }

  std::shared_ptr<StepGate> steps_ = std::make_shared<StepGate>();
  std::shared_ptr<StepGate> other_steps_ = std::make_shared<StepGate>();
  StoredCatalog catalog_{steps_};
  ModelHost* host_ = nullptr;
  std::optional<TestServer> server_;
};

TEST_F(ModelChanges, AModelThatComesIsServed) {
  EXPECT_EQ(post(ask_model("new")).status, 404);
  const std::string before = server_->client().get("/openapi.json").body;
  EXPECT_EQ(before.find("\"new\""), before.npos);
  add("new", steps_);
  EXPECT_NE(metrics().find("quire_time_to_first_token_seconds_count{model=\"new\"} 0"),
            std::string::npos);
  EXPECT_EQ(post(ask_model("new")).status, 200);
  EXPECT_EQ(server_->metric("quire_model_loads_total{model=\"new\"}"), 1);
  const std::string after = server_->client().get("/openapi.json").body;
  EXPECT_NE(after.find("\"new\""), after.npos) << "the document names who can be asked";
}

TEST_F(ModelChanges, AModelThatGoesIsUnknownAndItsSeriesEnd) {
  const std::size_t model = add("new", steps_);
  ASSERT_EQ(post(ask_model("new")).status, 200);
  ASSERT_NE(metrics().find("model=\"new\""), std::string::npos);
  ASSERT_TRUE(host_->remove(model).is_ok());
  const TestResponse refused = post(ask_model("new"));
  EXPECT_EQ(refused.status, 404);
  EXPECT_NE(refused.body.find("model_not_found"), std::string::npos);
  EXPECT_EQ(metrics().find("model=\"new\""), std::string::npos);
  EXPECT_EQ(server_->client().get("/v1/models").body.find("\"new\""), std::string::npos);
  EXPECT_EQ(server_->client().get("/v1/models/new").status, 404);
  EXPECT_EQ(server_->client().get("/quire/status").body.find("\"new\""), std::string::npos);
  ASSERT_EQ(post(ask_model("kept")).status, 200);
  EXPECT_EQ(server_->metric("quire_model_loads_total"), 1);
}

TEST_F(ModelChanges, AStreamRunsOnWhileItsModelIsRemoved) {
  const std::size_t model = add("new", other_steps_);
  ASSERT_EQ(post(ask_model("new")).status, 200);
  other_steps_->close();
  TestClient running = server_->client();
  running.send(post_bytes(kCompletionsPath, ask_model("new", R"("max_tokens":20,"stream":true)")));
  other_steps_->let_pass(1);
  ASSERT_FALSE(running.receive_some().empty());
  ASSERT_TRUE(host_->remove(model).is_ok());
  EXPECT_EQ(post(ask_model("new")).status, 404);
  EXPECT_EQ(post(ask_model("kept")).status, 200);
  EXPECT_EQ(server_->client().get("/health").status, 200);
  other_steps_->open();
  EXPECT_NE(rest_of(running).find("[DONE]"), std::string::npos) << "it was not cut";
  while (!host_->is_gone(model)) std::this_thread::yield();
  EXPECT_EQ(metrics().find("model=\"new\""), std::string::npos) << "its end left nothing behind";
}

TEST_F(ModelChanges, AStreamRunsOnWhileAnotherModelIsRemoved) {
  const std::size_t model = add("new", other_steps_);
  ASSERT_EQ(post(ask_model("new")).status, 200);
  ASSERT_EQ(post(ask_model("kept")).status, 200);
  steps_->close();
  TestClient running = server_->client();
  running.send(post_bytes(kCompletionsPath, ask_model("kept", R"("max_tokens":20,"stream":true)")));
  steps_->let_pass(1);
  ASSERT_FALSE(running.receive_some().empty());
  ASSERT_TRUE(host_->remove(model).is_ok());
  while (!host_->is_gone(model)) std::this_thread::yield();
  steps_->open();
  EXPECT_NE(rest_of(running).find("[DONE]"), std::string::npos);
}

TEST_F(ModelChanges, WhoWaitsForAModelThatIsRemovedGetsAnAnswer) {
  const std::size_t model = add("new", other_steps_);
  ASSERT_EQ(post(ask_model("new")).status, 200);
  other_steps_->close();
  TestClient running = server_->client();
  running.send(post_bytes(kCompletionsPath, ask_model("new", R"("max_tokens":9,"stream":true)")));
  other_steps_->let_pass(1);
  ASSERT_FALSE(running.receive_some().empty());
  ASSERT_TRUE(host_->unload(model).is_ok());
  TestClient waiting = server_->client();
  waiting.send(post_bytes(kCompletionsPath, ask_model("new")));
  // It waits, or it has not been read yet: either way there is no such model when its turn comes.
  EXPECT_EQ(server_->client().get("/health").status, 200);
  ASSERT_TRUE(host_->remove(model).is_ok());
  EXPECT_EQ(waiting.receive().status, 404);
  other_steps_->open();
  EXPECT_NE(rest_of(running).find("[DONE]"), std::string::npos);
}

TEST_F(ModelChanges, WhatTheStoreHasIsServedOnDemand) {
  EXPECT_EQ(post(ask_model("stored-1")).status, 200);
  EXPECT_EQ(post(ask_model("stored-1")).status, 200);
  EXPECT_EQ(catalog_.made, 1);
  EXPECT_EQ(post(ask_model("unknown")).status, 404);
  EXPECT_EQ(server_->client().post("/quire/models/stored-2/load", "{}").status, 202);
  EXPECT_EQ(post(ask_model("stored-2")).status, 200);
  EXPECT_EQ(host_->size(), 3u);
  catalog_.is_wanted = false;
  EXPECT_EQ(post(ask_model("stored-3")).status, 404) << "only where the operator wishes so";
}

TEST_F(ModelChanges, ManyWhoNameOneOfTheStoreAtOnceAreServedByOne) {
  std::atomic<int> served{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back([&] { served += post(ask_model("stored")).status == 200 ? 1 : 0; });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(served, 6);
  EXPECT_EQ(host_->size(), 2u);
  EXPECT_EQ(server_->metric("quire_model_loads_total{model=\"stored\"}"), 1);
}

// Clients of one model while others come, answer and go, many times.
TEST_F(ModelChanges, TrafficIsNotDisturbedByChanges) {
  std::atomic<bool> is_over{false};
  std::atomic<int> served{0}, wrong{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      TestClient client = server_->client();
      while (!is_over) {
        wrong += client.post(kCompletionsPath, ask_model("kept")).status == 200 ? 0 : 1;
        ++served;
      }
    });
  }
  for (int i = 0; i < 25; ++i) {
    const std::size_t model = add("new", steps_);
    EXPECT_EQ(post(ask_model("new")).status, 200);
    static_cast<void>(metrics());
    ASSERT_TRUE(host_->remove(model).is_ok());
  }
  is_over = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(metrics().find("model=\"new\""), std::string::npos);
  EXPECT_EQ(post(ask_model("new")).status, 404);
}

}  // namespace
}  // namespace quire
