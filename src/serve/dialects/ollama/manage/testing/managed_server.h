// A server over a store of the test's own, with a catalog that makes test models of whatever the
// store has and that opens them through a door; and what its tests ask it.
// Each object: one thread, as TestServer.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/json.h"
#include "host/model_catalog.h"
#include "host/testing/script_model.h"
#include "serve/testing/test_server.h"
#include "store/local_store.h"

namespace quire {

class StoreCatalog : public ModelCatalog {
 public:
  explicit StoreCatalog(std::shared_ptr<StepGate> gate) : gate_(std::move(gate)) {}

  Result<ModelRecipe> recipe(const std::string& source, std::vector<std::string> names,
                             const ModelOverrides& overrides) const override {
    std::error_code failure;
    if (!has(source) && !std::filesystem::exists(source, failure)) {
      return error(StatusCode::kNotFound, "there is no '{}'", source);
    }
    for (const std::string& adapter : overrides.adapters) {
      const bool is_folder = std::filesystem::is_directory(adapter);
      checked_.push_back(is_folder ? "folder" : std::filesystem::path(adapter).filename());
      if (adapter.ends_with("unfit.gguf")) return error(StatusCode::kCorrupt, "it does not fit");
    }
    if (names.empty()) names = {source};
    if (const auto then = std::exchange(before_switch_, nullptr)) then();
    ModelRecipe made = make_test_recipe({.names = names}, gate_);
    const auto store = store::LocalStore::open();
    const auto found = store->find(source);
    if (!found.is_ok() || found->dress.is_empty()) return made;
    const auto dress = std::make_shared<const store::ModelDress>(found->dress);
    made.open = [this, open = made.open, dress]() -> Result<OpenedModel> {
      door_.pass();
      if (is_damaged_) return error(StatusCode::kCorrupt, "it is damaged");
      QUIRE_ASSIGN_OR_RETURN(OpenedModel opened, open());
      opened.load = [load = opened.load, dress](EventSink sink)
          -> Result<std::unique_ptr<HostedModel>> {
        QUIRE_ASSIGN_OR_RETURN(auto model, load(std::move(sink)));
        if (!dress->chat_template.empty()) {
          model->chat_template = *ChatTemplate::compile_go(dress->chat_template);
        }
        model->dress = dress;
        return model;
      };
      return opened;
    };
    return made;
  }
  Result<ModelLook> look(const std::string& source) const override {
    ModelLook look{.chat_template = "{{ messages }}"};
    look.info.context_max = 64;
    look.info.chats = true;
    look.info.card = {.family = "llama", .format = "gguf"};
    const auto store = store::LocalStore::open();
    const auto found = store->find(source);
    if (!found.is_ok()) return look;
    for (const std::string& path : store->adapter_paths(*found)) {
      look.info.card.adapters.push_back({.path = path, .scale = 1});
    }
    return look;
  }
  bool has(const std::string& name) const override {
    const auto store = store::LocalStore::open();
    return store.is_ok() && store->find(name).is_ok();
  }
  std::vector<std::string> names() const override { return {}; }
  bool is_on_demand() const override { return false; }

  // Of models that wear something.
  Door& door() { return door_; }
  void set_damaged(bool is_damaged) { is_damaged_ = is_damaged; }

  // Once, when a model has been made and is to be served, on the thread that does it.
  void before_switch(std::function<void()> then) { before_switch_ = std::move(then); }

  std::vector<std::string> take_checked() const { return std::exchange(checked_, {}); }

 private:
  mutable Door door_;
  std::atomic<bool> is_damaged_{false};
  mutable std::function<void()> before_switch_;
  mutable std::vector<std::string> checked_;  // names of adapters, as recipes had them
  std::shared_ptr<StepGate> gate_;
};

class ManagedServer : public ::testing::Test {
 protected:
  ManagedServer() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("ollama" + std::to_string(::getpid()) + "." +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    ::setenv("QUIRE_HOME", folder_.c_str(), 1);
    ::setenv("OLLAMA_MODELS", (folder_ / "none").c_str(), 1);
    auto gate = std::make_shared<StepGate>();
    catalog_ = std::make_unique<StoreCatalog>(gate);
    ServerOptions options;
    options.catalog = catalog_.get();
    server_ = std::make_unique<TestServer>(options, gate, make_test_host({}, gate));
  }
  ~ManagedServer() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
    ::unsetenv("QUIRE_HOME");
    ::unsetenv("OLLAMA_MODELS");
  }

  TestResponse ask(const std::string& method, const std::string& path, const std::string& body) {
    TestClient client = server_->client();
    client.send(method + " " + path + " HTTP/1.1\r\nHost: t\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.receive(method == "HEAD");
  }
  TestResponse post(const std::string& path, const std::string& body) {
    return ask("POST", path, body);
  }
  // A thread of its own takes away what did not become a blob.
  void expect_nothing_partial() const {
    const auto left = [&] {
      const std::filesystem::directory_iterator partial(folder_ / "partial");
      return std::distance(std::filesystem::begin(partial), std::filesystem::end(partial));
    };
    for (int i = 0; i < 6000 && left() > 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(left(), 0);
  }
  std::string digest_of(const std::string& text) {
    store::Digest digest;
    digest.update(text);
    return "sha256:" + digest.finish().hex;
  }
  // Sends it; its digest.
  std::string send(const std::string& bytes) {
    EXPECT_LT(post("/api/blobs/" + digest_of(bytes), bytes).status, 300);
    return digest_of(bytes);
  }
  // A GGUF file that says of itself only what it is.
  static std::string gguf_of(const std::string& type) {
    std::string bytes = "GGUF";
    const auto number = [&](std::uint64_t value, int size) {
      for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
    };
    const auto text = [&](const std::string& value) {
      number(value.size(), 8);
      bytes += value;
    };
    number(3, 4);
    number(0, 8);
    number(1, 8);
    text("general.type");
    number(8, 4);
    text(type);
    return bytes;
  }
  // Its file is sent, and the model is made of it.
  void create(const std::string& name, const std::string& more = "") {
    const std::string bytes = "GGUF of " + name;
    EXPECT_LT(post("/api/blobs/" + digest_of(bytes), bytes).status, 300);
    const TestResponse made = post("/api/create", R"({"model":")" + name +
                                                      R"(","files":{"x.gguf":")" +
                                                      digest_of(bytes) + "\"}" + more + "}");
    EXPECT_EQ(made.status, 200) << made.body;
    EXPECT_TRUE(made.body.ends_with("{\"status\":\"success\"}\n")) << made.body;
  }

  std::filesystem::path folder_;
  std::unique_ptr<StoreCatalog> catalog_;
  std::unique_ptr<TestServer> server_;
};

}  // namespace quire
