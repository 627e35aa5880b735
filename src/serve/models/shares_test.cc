// Two versions of a model behind one bare name, over real sockets: by whatever protocol a request
// comes, each version gets its share of those that an engine answers, and of those alone; and a
// request that names no model means the bare name.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "serve/testing/test_repository.h"

namespace quire {
namespace {

constexpr const char* kHalves = R"({"stable":1,"split":{"1":50,"2":50}})";
constexpr const char* kTenths = R"({"stable":1,"split":{"1":90,"2":10}})";

class SharesTest : public ::testing::Test {
 protected:
  TestServer& serve(const std::string& traffic) {
    there_.write("m/config.pbtxt", "version_policy { all {} }");
    there_.version("m", 1);
    there_.version("m", 2);
    if (!traffic.empty()) there_.write("m/traffic.json", traffic);
    server_ = &there_.serve();
    return *server_;
  }
  int post(const std::string& path, const std::string& body) {
    return server_->client().post(path, body).status;
  }
  void ask(const std::string& path, const std::string& body, int count) {
    for (int i = 0; i < count; ++i) EXPECT_EQ(post(path, body), 200) << path;
  }
  // Of the bare name, what each version was given.
  std::string given() {
    std::string given;
    for (const TrafficRow& row : there_.repository().traffic()) {
      given += fmt::format("{}{}", given.empty() ? "" : "/", row.requests);
    }
    return given;
  }
  std::string first_of(const std::string& path, const char* list, const char* id) {
    const Json body = *parse_json(server_->client().get(path).body);
    return body.find(list)->items().at(0).find(id)->as_string();
  }

  TestRepository there_;
  TestServer* server_ = nullptr;
};

const std::string kCompletion = R"({"model":"m","prompt":"ab","max_tokens":1})";
const std::string kGenerate = R"({"text_input":"ab","parameters":{"max_tokens":1}})";

TEST_F(SharesTest, EveryProtocolTakesOneTurnARequest) {
  const std::pair<const char*, std::string> cases[] = {
      {"/v2/models/m/generate", kGenerate},
      {"/v2/models/m/generate_stream", kGenerate},
      {"/v2/models/m/infer",
       R"({"inputs":[{"name":"text_input","shape":[1,1],"datatype":"BYTES","data":["ab"]}],)"
       R"("parameters":{"max_tokens":1}})"},
      {"/v1/completions", kCompletion},
      {"/v1/chat/completions",
       R"({"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":1})"},
      {"/v1/responses", R"({"model":"m","input":"a","max_output_tokens":16,"store":false})"},
      {"/v1/messages",
       R"({"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":1})"},
      {"/api/generate", R"({"model":"m","prompt":"a","stream":false,"options":{"num_predict":1}})"},
      {"/generate", R"({"inputs":"a","parameters":{"max_new_tokens":1}})"},
      {"/invocations", R"({"inputs":"a","parameters":{"max_new_tokens":1}})"},
  };
  serve(kTenths);
  int first = 0, second = 0;
  for (const auto& [path, body] : cases) {
    ask(path, body, 10);
    EXPECT_EQ(given(), fmt::format("{}/{}", first += 9, second += 1)) << path;
  }
  ask("/v1/chat/completions/batch",
      R"({"model":"m","messages":[[{"role":"user","content":"a"}],[{"role":"user",)"
      R"("content":"b"}]],"max_tokens":1})", 10);
  EXPECT_EQ(given(), fmt::format("{}/{}", first += 18, second += 2)) << "two texts, one version";
}

TEST_F(SharesTest, WhoeverOnlyCountsTokensOrErrsTakesNoTurn) {
  serve(kHalves);
  const std::pair<const char*, std::string> others[] = {
      {"/tokenize", R"({"model":"m","prompt":"ab"})"},
      {"/v1/messages/count_tokens", R"({"model":"m","messages":[{"role":"user","content":"a"}]})"},
      {"/v1/completions", R"({"model":"m","prompt":"ab","temperature":-5})"},
      {"/v2/models/m/generate", R"({"text_input":"ab","parameters":{"temperature":"x"}})"},
      {"/v2/models/m/config", ""},
      {"/tokenizer_info?model=m", ""},
  };
  int each = 0;
  for (const auto& [path, body] : others) {
    for (int i = 0; i < 10; ++i) {
      if (body.empty()) {
        EXPECT_NE(server_->client().get(path).status, 0) << path;
      } else {
        EXPECT_NE(post(path, body), 0) << path;
      }
      ask("/v1/completions", kCompletion, 1);
    }
    each += 5;
    EXPECT_EQ(given(), fmt::format("{}/{}", each, each)) << path;
  }
}

TEST_F(SharesTest, SharesHoldAmongClientsThatComeTogether) {
  serve(R"({"stable":1,"split":{"1":70,"2":30}})");
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([this] {
      TestClient mine = server_->client();
      for (int i = 0; i < 25; ++i) {
        EXPECT_EQ(mine.post("/v2/models/m/generate", kGenerate).status, 200);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(given(), "70/30");
}

TEST_F(SharesTest, ARequestThatNamesNoModelMeansTheBareName) {
  serve(R"({"stable":1})");
  ask("/generate", R"({"inputs":"a","parameters":{"max_new_tokens":1}})", 5);
  ask("/", R"({"inputs":"a","parameters":{"max_new_tokens":1}})", 5);
  ask("/vertex",
      R"({"instances":[{"inputs":"a","parameters":{"max_new_tokens":1}},)"
      R"({"messages":[{"role":"user","content":"a"}],"max_tokens":1}]})", 5);
  EXPECT_EQ(given(), "20/0");
  EXPECT_EQ(post("/tokenize", R"({"prompt":"ab"})"), 200) << "there is one model";
  const Json info = *parse_json(server_->client().get("/info").body);
  EXPECT_EQ(info.find("model_id")->as_string(), "m");
  const Json second = *parse_json(server_->client().get("/info?model=m:2").body);
  EXPECT_EQ(second.find("model_id")->as_string(), "m:2");
  EXPECT_EQ(first_of("/v1/models", "data", "id"), "m");
}

TEST_F(SharesTest, WithoutATrafficFileTheNewestHasTheBareName) {
  serve("");
  EXPECT_EQ(first_of("/v1/models", "data", "id"), "m");
  const Json first = *parse_json(server_->client().get("/v1/models").body);
  EXPECT_EQ(first.find("data")->items().at(1).find("id")->as_string(), "m:2");
}

}  // namespace
}  // namespace quire
