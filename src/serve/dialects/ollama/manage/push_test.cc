// Models that are pushed by Ollama's API to a registry on this machine: lines, whole answers, what
// is refused, and a client that leaves in the middle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <latch>
#include <thread>

#include "base/file.h"
#include "host/model_catalog.h"
#include "serve/testing/test_server.h"
#include "store/local_store.h"
#include "store/testing/fake_registry.h"

namespace quire {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using store::testing::FakeRegistry;

// Knows what lists show of a model, and makes none.
class CardCatalog : public ModelCatalog {
 public:
  Result<ModelRecipe> recipe(const std::string& source, std::vector<std::string>,
                             const ModelOverrides&) const override {
    return error(StatusCode::kNotFound, "there is no '{}'", source);
  }
  Result<ModelLook> look(const std::string&) const override {
    ModelLook look;
    look.info.card = {.family = "llama", .format = "gguf", .quantization = "Q4_1",
                      .parameters = 134'515'008};
    return look;
  }
  bool has(const std::string&) const override { return false; }
  std::vector<std::string> names() const override { return {}; }
  bool is_on_demand() const override { return true; }
};

class OllamaPushTest : public ::testing::Test {
 protected:
  OllamaPushTest() {
    folder_ = fs::path(::testing::TempDir()) /
              ("push" + std::to_string(::getpid()) + "." +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
    ::setenv("QUIRE_HOME", folder_.c_str(), 1);
    ::setenv("OLLAMA_MODELS", (folder_ / "none").c_str(), 1);
    if (const char* home = std::getenv("HOME")) home_ = home;
    ::setenv("HOME", folder_.c_str(), 1);
    ServerOptions options;
    options.catalog = &catalog_;
    auto gate = std::make_shared<StepGate>();
    server_ = std::make_unique<TestServer>(options, gate, make_test_host({}, gate));
    name_ = registry_.host() + "/me/mario:7b";
    add(name_, weights_);
  }
  ~OllamaPushTest() override {
    server_.reset();
    fs::remove_all(folder_);
    ::unsetenv("QUIRE_HOME");
    ::unsetenv("OLLAMA_MODELS");
    ::setenv("HOME", home_.c_str(), 1);
  }

  void add(const std::string& name, const std::string& bytes) {
    const auto store = store::LocalStore::open();
    const auto held = store->hold();
    store::Digest digest;
    digest.update(bytes);
    const store::Checksum sum = digest.finish();
    const std::string path = folder_ / "fetched";
    ASSERT_TRUE(replace_file(path, bytes).is_ok());
    ASSERT_TRUE(store->place_blob(path, sum).is_ok());
    store::Manifest manifest{.name = name, .source = "a test", .revision = "1",
                             .files = {{"model.gguf", bytes.size(), sum}}};
    manifest.dress.system = "You are Mario.";
    ASSERT_TRUE(store->add(manifest).is_ok());
  }
  TestResponse push(const std::string& more = "", const std::string& name = {}) {
    return server_->client().post("/api/push", R"({"model":")" + (name.empty() ? name_ : name) +
                                                   "\"" + more + "}");
  }
  static std::vector<Json> lines_of(const TestResponse& response) {
    std::vector<Json> lines;
    for (std::size_t at = 0; at < response.body.size();) {
      const std::size_t end = response.body.find('\n', at);
      lines.push_back(*parse_json(response.body.substr(at, end - at)));
      at = end + 1;
    }
    return lines;
  }

  fs::path folder_;
  std::string home_, name_, weights_ = "GGUF" + std::string(3 << 20, 'w');
  FakeRegistry registry_;
  CardCatalog catalog_;
  std::unique_ptr<TestServer> server_;
};

TEST_F(OllamaPushTest, LinesTellWhatIsUnderWay) {
  const TestResponse response = push();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "application/x-ndjson");
  const std::vector<Json> lines = lines_of(response);
  EXPECT_EQ(dump(lines.front()), R"({"status":"retrieving manifest"})");
  const std::string digest = FakeRegistry::digest_of(weights_);
  EXPECT_EQ(dump(lines[1]), R"({"status":"pushing )" + digest.substr(7, 12) + R"(","digest":")" +
                                digest + R"(","total":3145732})");
  EXPECT_GE(lines[2].find("completed")->as_uint(), 1u << 20);
  EXPECT_EQ(dump(lines[lines.size() - 2]), R"({"status":"pushing manifest"})");
  EXPECT_EQ(dump(lines.back()), R"({"status":"success"})");
  bool is_whole = false;
  for (const Json& line : lines) {
    const Json* completed = line.find("completed");
    is_whole |= completed != nullptr && completed->as_uint() == weights_.size();
  }
  EXPECT_TRUE(is_whole);
  ASSERT_TRUE(registry_.manifests.contains("me/mario/7b"));
  const Json manifest = *parse_json(registry_.manifests["me/mario/7b"]);
  const std::string config =
      registry_.blobs[manifest.find("config")->find("digest")->as_string()];
  EXPECT_THAT(config, HasSubstr(R"("model_family":"llama","model_families":["llama"],)"
                                R"("model_type":"134.52M","file_type":"Q4_1")"));
  EXPECT_EQ(registry_.blobs[digest], weights_);
}

TEST_F(OllamaPushTest, WithoutAStreamTheEndIsTheAnswer) {
  const TestResponse response = push(R"(,"stream":false)");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "application/json; charset=utf-8");
  EXPECT_EQ(response.body, R"({"status":"success"})");
  const TestResponse warned = push(R"(,"stream":false,"username":"me","other":1)");
  EXPECT_THAT(warned.body, HasSubstr("username"));
  EXPECT_THAT(warned.body, HasSubstr("other"));
}

TEST_F(OllamaPushTest, WhatIsNotInTheStoreIsTold) {
  const TestResponse streamed = push("", "nobody");
  EXPECT_EQ(streamed.status, 200);
  EXPECT_EQ(streamed.body, "{\"status\":\"retrieving manifest\"}\n"
                           "{\"status\":\"couldn't retrieve manifest\"}\n"
                           "{\"error\":\"model 'nobody' not found\"}\n");
  const TestResponse whole = push(R"(,"stream":false)", "nobody");
  EXPECT_EQ(whole.status, 404);
  EXPECT_EQ(whole.body, R"({"error":"model 'nobody' not found"})");
  EXPECT_THAT(push("", "m").body, HasSubstr("model 'm' is served from outside of the store"));
}

TEST_F(OllamaPushTest, WhatIsAskedWronglyIsRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "model"},
      {R"({"model":7})", "model"},
      {R"({"model":""})", "model"},
      {R"({"model":"a b"})", "invalid model name"},
      {R"({"model":"m","stream":"yes"})", "stream"},
      {R"({"model":"m","insecure":1})", "insecure"},
      {R"({"model":"http://127.0.0.1:1/me/x"})", "insecure protocol http"},
      {R"({"model":"hf.co/owner/name"})", "the hub takes no model that is pushed"},
      {R"({"model":"hf:owner/name"})", "the hub takes no model that is pushed"},
      {R"([])", ""},
  };
  for (const auto& [body, sentence] : cases) {
    const TestResponse refused = server_->client().post("/api/push", body);
    EXPECT_EQ(refused.status, 400) << body;
    EXPECT_THAT(refused.body, StartsWith("{\"error\":")) << body;
    EXPECT_THAT(refused.body, HasSubstr(sentence)) << body;
  }
  EXPECT_TRUE(registry_.requests().empty());
}

TEST_F(OllamaPushTest, ARegistryThatRefusesHasItsOwnStatus) {
  registry_.want_token("secret");
  const TestResponse login = push(R"(,"stream":false)");
  EXPECT_EQ(login.status, 401);
  EXPECT_THAT(login.body, HasSubstr("unauthorized: access denied"));
  EXPECT_THAT(login.body, HasSubstr("/.ollama/id_ed25519"));
  EXPECT_THAT(lines_of(push()).back().find("error")->as_string(), StartsWith("unauthorized"));
  registry_.set_fault([](const FakeRegistry::Request&) {
    return FakeRegistry::Reply{.status = 403, .body = "no"};
  });
  EXPECT_EQ(push(R"(,"stream":false)").status, 403);
  registry_.set_fault([](const FakeRegistry::Request&) {
    return FakeRegistry::Reply{.status = 400};
  });
  EXPECT_EQ(push(R"(,"stream":false)").status, 400);
  add("127.0.0.1:1/me/nowhere", "GGUF");
  const TestResponse nowhere = push(R"(,"stream":false)", "127.0.0.1:1/me/nowhere");
  EXPECT_EQ(nowhere.status, 503);
  EXPECT_THAT(nowhere.body, HasSubstr("127.0.0.1:1"));
}

TEST_F(OllamaPushTest, AClientThatLeavesEndsIt) {
  std::latch is_asked(1), has_left(1);
  std::atomic<bool> is_first = true;
  registry_.set_fault([&](const FakeRegistry::Request& request)
                          -> std::optional<FakeRegistry::Reply> {
    if (request.method != "POST") return std::nullopt;
    if (is_first.exchange(false)) is_asked.count_down();
    has_left.wait();
    return FakeRegistry::Reply{.status = 503};  // it would try again
  });
  {
    TestClient client = server_->client();
    client.send("POST /api/push HTTP/1.1\r\nHost: t\r\nContent-Length: " +
                std::to_string(name_.size() + 12) + "\r\n\r\n{\"model\":\"" + name_ + "\"}");
    is_asked.wait();
  }
  has_left.count_down();
  server_.reset();  // waits for errands: this one does not go on for ever
  EXPECT_FALSE(registry_.manifests.contains("me/mario/7b"));
}

}  // namespace
}  // namespace quire
