// Several models behind one server, over real sockets: requests wait for a load, within a bound,
// and are answered by the model they name; failures are sentences; what unloads is drained first.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>

#include "base/json.h"
#include "host/pin_book.h"
#include "serve/testing/test_json.h"
#include "serve/testing/test_server.h"
#include "serve/waiting_room.h"

namespace quire {
namespace {

std::string text_of(const Json& json, const char* key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

std::string error_text(const TestResponse& response, const char* key) {
  const Json body = json_of(response);
  const Json* error = body.find("error");
  return error != nullptr ? text_of(*error, key) : "";
}

// Models called "a", "b", ... of 1000 bytes each. Opening one passes `doors`, and fails while
// `is_damaged`.
struct Models {
  explicit Models(std::size_t count, ShelfOptions options = {}, ServerOptions server = {}) {
    auto host = std::make_unique<ModelHost>(options);
    for (std::size_t i = 0; i < count; ++i) {
      TestModelOptions model;
      model.names = {std::string(1, static_cast<char>('a' + i))};
      ModelRecipe recipe = make_test_recipe(model, steps);
      recipe.open = [this, open = recipe.open]() -> Result<OpenedModel> {
        ++opened;
        doors->pass();
        if (is_damaged) return error(StatusCode::kCorrupt, "byte 7 is wrong");
        return open();
      };
      QUIRE_CHECK(host->add(std::move(recipe)).is_ok(), "a test model");
    }
    this->server.emplace(std::move(server), steps, std::move(host));
  }
  ~Models() { doors->open(); }

  TestResponse get(const std::string& path) { return server->client().get(path); }
  TestResponse post(const std::string& path, const std::string& body,
                    std::string_view headers = "") {
    return server->client().post(path, body, headers);
  }
  std::string state(std::size_t model) {
    const Json body = json_of(get("/quire/models"));
    return text_of(body.find("models")->items()[model], "state");
  }
  void wait_for_state(std::size_t model, const std::string& wanted) {
    while (state(model) != wanted) std::this_thread::yield();
  }

  std::shared_ptr<StepGate> steps = std::make_shared<StepGate>();
  std::shared_ptr<StepGate> doors = std::make_shared<StepGate>();
  std::atomic<bool> is_damaged{false};
  std::atomic<int> opened{0};
  std::optional<TestServer> server;
};

TEST(ModelsTest, EachRequestIsAnsweredByTheModelItNames) {
  Models models(3);
  EXPECT_EQ(models.state(0), "unloaded");
  for (const char* name : {"b", "a", "b"}) {
    const TestResponse response = models.post(kCompletionsPath, ask_model(name));
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(text_of(json_of(response), "model"), name);
  }
  EXPECT_EQ(models.opened, 2);
  EXPECT_EQ(models.state(1), "ready");
  EXPECT_EQ(models.state(2), "unloaded");

  const TestResponse unknown = models.post(kCompletionsPath, ask_model("d"));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(error_text(unknown, "code"), "model_not_found");
  const Json ready = json_of(models.get("/ready"));
  EXPECT_EQ(ready.find("models")->as_int(), 3);
  EXPECT_EQ(ready.find("loaded")->as_int(), 2);
}

TEST(ModelsTest, TheListShowsAllWithTheirStates) {
  Models models(2);
  ASSERT_EQ(models.post(kCompletionsPath, ask_model("b")).status, 200);
  const Json list = json_of(models.get("/v1/models"));
  const auto& data = list.find("data")->items();
  ASSERT_EQ(data.size(), 2u);
  EXPECT_EQ(text_of(data[0], "id"), "a");
  EXPECT_EQ(text_of(data[0], "state"), "unloaded");
  EXPECT_TRUE(data[0].find("max_model_len")->is_null()) << "nobody knows yet";
  EXPECT_EQ(text_of(data[1], "state"), "ready");
  EXPECT_EQ(data[1].find("max_model_len")->as_int(), 1024);
  EXPECT_EQ(text_of(json_of(models.get("/v1/models/a")), "id"), "a");
  EXPECT_EQ(models.get("/v1/models/d").status, 404);
}

// What three clients get who ask for a model that is not there yet, where two may wait.
TEST(ModelsTest, RequestsWaitForALoadAndNoMoreThanThereArePlaces) {
  Models models(2, {}, {.load_queue_max = 2});
  models.doors->close();
  std::atomic<int> refused{0}, served{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      const TestResponse response = models.post(kCompletionsPath, ask_model("a"));
      served += response.status == 200;
      if (response.status != 503) return;
      EXPECT_EQ(error_text(response, "code"), "model_not_loaded");
      EXPECT_EQ(response.header("retry-after"), "5");
      ++refused;
    });
  }
  while (refused == 0) std::this_thread::yield();
  EXPECT_EQ(served, 0);
  EXPECT_EQ(models.get("/health").status, 200) << "the I/O thread waits for nobody";
  EXPECT_EQ(models.state(0), "loading");
  models.doors->open();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(served, 2);
  EXPECT_EQ(models.opened, 1) << "one load for all";
}

TEST(ModelsTest, AClientThatLeavesWhileItsModelLoadsIsForgotten) {
  Models models(1);
  models.doors->close();
  {
    TestClient client = models.server->client();
    client.send(post_bytes(kCompletionsPath, ask_model("a")));
    while (models.opened == 0) std::this_thread::yield();
  }
  models.steps->close();  // it is seen to have left while it waits, or at the latest here
  models.doors->open();
  models.wait_for_state(0, "ready");
  models.server->wait_for_metric("quire_clients_left_total", 1);
}

TEST(ModelsTest, AFailedLoadIsASentenceAndTheOthersServeOn) {
  Models models(2, {.retry_after = std::chrono::hours(1)});
  ASSERT_EQ(models.post(kCompletionsPath, ask_model("a")).status, 200);
  models.is_damaged = true;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const TestResponse failed = models.post(kCompletionsPath, ask_model("b"));
    EXPECT_EQ(failed.status, 503);
    EXPECT_EQ(error_text(failed, "code"), "model_load_failed");
    EXPECT_EQ(error_text(failed, "message"),
              "The model 'b' cannot be loaded: byte 7 is wrong.");
    EXPECT_EQ(failed.header("retry-after"), "3600");
  }
  EXPECT_EQ(models.opened, 2) << "the second was answered without another try";
  EXPECT_EQ(models.post(kCompletionsPath, ask_model("a")).status, 200);
  EXPECT_EQ(models.server->metric("quire_model_load_failures_total{model=\"b\"}"), 1);
  EXPECT_EQ(models.get("/ready").status, 200);
}

TEST(ModelsTest, NoHopeForAnyModelIsNotReady) {
  Models models(1, {.retry_after = std::chrono::hours(1)});
  models.is_damaged = true;
  EXPECT_EQ(models.get("/ready").status, 200) << "it may well be loaded at first use";
  EXPECT_EQ(models.get("/v2/health/ready").status, 200);
  EXPECT_EQ(models.post(kCompletionsPath, ask_model("a")).status, 503);
  const TestResponse ready = models.get("/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(text_of(json_of(ready), "status"), "no model can be loaded");
  EXPECT_EQ(models.get("/v2/health/ready").status, 400) << "KServe's: one failure is enough";
  EXPECT_EQ(models.get("/v2/models/a/ready").status, 400);
  EXPECT_EQ(models.get("/v2/health/live").status, 200);
}

TEST(ModelsTest, UnloadingWaitsForWhatRunsAndTheNextRequestLoadsAgain) {
  Models models(1);
  const std::string slow = ask_model("a", R"("max_tokens":20,"stream":true)");
  ASSERT_EQ(models.post(kCompletionsPath, ask_model("a")).status, 200);
  models.steps->close();
  TestClient running = models.server->client();
  running.send(post_bytes(kCompletionsPath, slow));
  models.steps->let_pass(1);
  ASSERT_FALSE(running.receive_some().empty());
  EXPECT_EQ(models.post("/quire/models/a/unload", "{}").status, 202);
  EXPECT_EQ(models.state(0), "unloading");

  std::thread late([&] {  // comes after the decision: waits, and is served by the next life
    EXPECT_EQ(models.post(kCompletionsPath, ask_model("a")).status, 200);
  });
  models.steps->open();
  std::string rest;
  while (rest.find("[DONE]") == rest.npos) {
    const std::string piece = running.receive_some();
    if (piece.empty()) break;
    rest += piece;
  }
  EXPECT_NE(rest.find("[DONE]"), rest.npos) << "the running request was not cut";
  late.join();
  EXPECT_EQ(models.opened, 2);
  EXPECT_EQ(models.server->metric("quire_model_unloads_total"), 1);
  EXPECT_EQ(models.server->metric("quire_generated_tokens_total"), 4 + 20 + 4)
      << "counters go on in the next life";
}

TEST(ModelsTest, APinnedModelStaysWhereAnotherNeedsItsRoom) {
  Models models(2, {.bytes_max = 1500, .retry_after = Nanos{0}});
  const TestResponse pinned = models.post("/quire/models/a/pin", "{}");
  EXPECT_EQ(pinned.status, 200);
  EXPECT_TRUE(json_of(pinned).find("pinned")->as_bool());
  ASSERT_EQ(models.post(kCompletionsPath, ask_model("a")).status, 200);
  const TestResponse refused = models.post(kCompletionsPath, ask_model("b"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(error_text(refused, "message").find("pinned ones have"), std::string::npos)
      << refused.body;
  EXPECT_EQ(models.state(0), "ready");
  EXPECT_FALSE(json_of(models.post("/quire/models/a/unpin", "{}")).find("pinned")->as_bool());
  EXPECT_EQ(models.post(kCompletionsPath, ask_model("b")).status, 200);
  EXPECT_EQ(models.state(0), "unloaded");
  EXPECT_EQ(models.post("/quire/models/d/pin", "{}").status, 404);
  EXPECT_EQ(models.post("/quire/models/d/unpin", "{}").status, 404);
}

TEST(ModelsTest, PinsSurviveARestart) {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("quire_kept_{}", getpid());
  const std::string path = (folder / "pins.json").string();
  const auto is_pinned = [](Models& models, std::size_t model) {
    return json_of(models.get("/quire/models")).find("models")->items()[model].find("pinned")
        ->as_bool();
  };
  for (const bool is_first : {true, false}) {
    PinBook book(path);
    Models models(2, {}, {.pins = &book});
    book.apply(models.server->host());
    EXPECT_EQ(is_pinned(models, 0), !is_first);
    EXPECT_FALSE(is_pinned(models, 1));
    const char* order = is_first ? "/quire/models/a/pin" : "/quire/models/a/unpin";
    EXPECT_EQ(models.post(order, "{}").status, 200);
    EXPECT_EQ(is_pinned(models, 0), is_first) << "when it is answered it holds";
    EXPECT_EQ(models.post("/quire/models/d/pin", "{}").status, 404);
  }
  EXPECT_TRUE(PinBook(path).names().empty());
  std::filesystem::remove_all(folder);
}

TEST(ModelsTest, APinThatCannotBeKeptActsAndSaysSo) {
  PinBook book("/dev/null/pins.json");
  Models models(1, {}, {.pins = &book});
  const TestResponse pinned = models.post("/quire/models/a/pin", "{}");
  EXPECT_EQ(pinned.status, 200);
  EXPECT_TRUE(json_of(pinned).find("pinned")->as_bool());
  EXPECT_NE(pinned.header("warning").find("it holds until this process ends"), std::string::npos);
  EXPECT_EQ(book.names().count("a"), 1u) << "and so it is told to who comes later";
}

// One key fills its places at a model that is being loaded; another key has its own.
TEST(ModelsTest, AFloodOfOneKeyLeavesOthersTheirPlaces) {
  Models models(1, {}, {.api_keys = {"one", "two"}, .load_queue_max = 1});
  models.doors->close();
  const auto send = [&](TestClient& client, const char* key) {
    client.send(post_bytes(kCompletionsPath, ask_model("a"),
                           "Authorization: Bearer " + std::string(key) + "\r\n"));
  };
  TestClient first = models.server->client(), second = models.server->client();
  TestClient other = models.server->client();
  send(first, "one");
  while (models.opened < 1) std::this_thread::yield();
  send(second, "one");
  EXPECT_EQ(second.receive().status, 503);
  send(other, "two");  // were it refused, it would be so at once, door or no door
  EXPECT_EQ(models.get("/health").status, 200);
  models.doors->open();
  EXPECT_EQ(first.receive().status, 200);
  EXPECT_EQ(other.receive().status, 200);
}

TEST(ModelsTest, LoadAndUnloadByHand) {
  Models models(2, {}, {.api_keys = {"secret"}});
  TestClient client = models.server->client();
  EXPECT_EQ(client.get("/quire/models").status, 401);
  EXPECT_EQ(models.post("/quire/models/a/load", "{}").status, 401);
  constexpr const char* kKey = "Authorization: Bearer secret\r\n";
  EXPECT_EQ(client.post("/quire/models/a/load", "{}", kKey).status, 202);
  models.server->wait_for_metric("quire_model_ready{model=\"a\"}", 1);
  EXPECT_EQ(client.post("/quire/models/a/unload", "{}", kKey).status, 202);
  models.server->wait_for_metric("quire_model_unloads_total{model=\"a\"}", 1);
  models.doors->close();
  EXPECT_EQ(client.post("/quire/models/b/load", "{}", kKey).status, 202);
  while (models.opened < 2) std::this_thread::yield();
  const TestResponse loading = client.post("/quire/models/b/unload", "{}", kKey);
  EXPECT_EQ(loading.status, 409);
  EXPECT_EQ(error_text(loading, "code"), "model_is_loading");
  EXPECT_EQ(client.post("/quire/models/d/load", "{}", kKey).status, 404);
  EXPECT_EQ(models.post("/quire/models/a", "{}", kKey).status, 404);
  EXPECT_EQ(models.post("/quire/models/a/eat", "{}", kKey).status, 404);
  client.send("POST /quire/models/a/load HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n"
              "Authorization: Bearer secret\r\n\r\n");
  EXPECT_EQ(client.receive().status, 415) << "what a page of another site could send";
}

TEST(ModelsTest, DrainingAnswersWhoWaitsForALoad) {
  Models models(1);
  models.doors->close();
  TestClient client = models.server->client();
  client.send(post_bytes(kCompletionsPath, ask_model("a")));
  while (models.opened == 0) std::this_thread::yield();
  models.server->request_stop();
  const TestResponse refused = client.receive();
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("draining"), refused.body.npos);
  models.doors->open();
  models.server->join();
}

// Room for two of three, several clients, and every answer is the one that its model gave alone.
TEST(ModelsTest, ThreeModelsInTheMemoryOfTwo) {
  Models models(3, {.bytes_max = 2000});
  std::vector<std::thread> clients;
  std::atomic<int> wrong{0};
  for (unsigned seed = 1; seed <= 4; ++seed) {
    clients.emplace_back([&, seed] {
      TestClient client = models.server->client();
      unsigned state = seed;
      for (int i = 0; i < 30; ++i) {
        state = state * 1664525 + 1013904223;
        const std::string name(1, static_cast<char>('a' + state / 65536 % 3));
        const TestResponse response = client.post(kCompletionsPath, ask_model(name));
        wrong += response.status != 200 || text_of(json_of(response), "model") != name;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(models.opened, 3);
  EXPECT_EQ(models.server->metric("quire_generated_tokens_total"), 4 * 30 * 4);
  EXPECT_LE(models.server->metric("quire_model_bytes"), 2000);
  EXPECT_EQ(models.server->metric("quire_model_load_failures_total"), 0);
}

// --- the waiting room alone ---

TEST(WaitingRoomTest, PlacesAreBoundedPerModelAndThoseWhoLeftGiveTheirsUp) {
  WaitingRoom room(2);
  std::vector<std::shared_ptr<http::Exchange>> exchanges;
  const auto add = [&](std::size_t model) {
    exchanges.push_back(std::make_shared<http::Exchange>(http::Request{}, 1000));
    Arrival arrival{.exchange = exchanges.back()};
    const bool has_place = room.add(model, arrival);
    EXPECT_EQ(arrival.exchange == nullptr, has_place);
    return has_place;
  };
  EXPECT_TRUE(add(0));
  EXPECT_TRUE(add(0));
  EXPECT_FALSE(add(0));
  EXPECT_TRUE(add(1)) << "another model has places of its own";
  exchanges[0]->leave();
  EXPECT_TRUE(add(0));
  EXPECT_EQ(room.size(), 3u);
  const std::vector<Arrival> taken = room.take(0);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].exchange, exchanges[1]) << "in the order they came";
  EXPECT_TRUE(room.take(0).empty());
  EXPECT_EQ(room.take_all().size(), 1u);
  EXPECT_EQ(room.size(), 0u);
}

}  // namespace
}  // namespace quire
