// The response cache over HTTP: a repeated question is answered without the engine, and only where
// the answer would be the same.
#include "serve/dialects/kserve/inference/kept_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_repository.h"

namespace quire {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kKeeps = "response_cache { enable: true }";
constexpr std::string_view kGenerate = "/v2/models/a/generate";
const ServerOptions kSome = {.response_cache_bytes = 1 << 20};

class KeptAnswerTest : public ::testing::Test {
 protected:
  TestServer& serve(const ServerOptions& options = kSome, const std::string& config = kKeeps) {
    there_.write("a/config.pbtxt", config);
    there_.version("a", 1);
    server_ = &there_.serve(options);
    return *server_;
  }
  std::string ask(const std::string& members, const std::string& headers = "") {
    return ask_at(kGenerate, members, headers);
  }
  std::string ask_at(std::string_view path, const std::string& members,
                     const std::string& headers = "") {
    const TestResponse answer = server_->client().post(
        path, R"({"text_input":"ab","parameters":{"max_tokens":4,)" + members + "}}", headers);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body;
  }
  std::string stats(const char* model = "a") const {
    const Json body = *parse_json(
        server_->client().get("/v2/models/" + std::string(model) + "/stats").body);
    const Json& inner = *body.find("model_stats")->items().at(0).find("inference_stats");
    const auto count = [&](const char* name) { return inner.find(name)->find("count")->as_int(); };
    EXPECT_EQ(count("cache_hit") > 0, inner.find("cache_hit")->find("ns")->as_int() > 0);
    return fmt::format("{} hits, {} misses, {} successes", count("cache_hit"), count("cache_miss"),
                       count("success"));
  }

  TestRepository there_;
  TestServer* server_ = nullptr;
};

TEST_F(KeptAnswerTest, ARepeatedQuestionIsAnsweredWithoutTheEngine) {
  TestServer& server = serve();
  const std::string first = ask(R"("temperature":0)");
  EXPECT_EQ(stats(), "0 hits, 1 misses, 1 successes");
  const double steps = server.metric("quire_steps_total");
  EXPECT_EQ(ask(R"("temperature":0)"), first);
  EXPECT_EQ(ask(R"("temperature":0,"priority":3,"timeout":99000000)"), first);
  EXPECT_EQ(server.metric("quire_steps_total"), steps);
  EXPECT_EQ(stats(), "2 hits, 1 misses, 3 successes");
  EXPECT_EQ(server.metric("quire_response_cache_lookups_total"), 3);
  EXPECT_EQ(server.metric("quire_response_cache_entries"), 1);
  ask_at("/v2/models/a/versions/1/generate", R"("temperature":0)");
  EXPECT_EQ(stats(), "3 hits, 1 misses, 4 successes") << "the version that the name means";
}

TEST_F(KeptAnswerTest, TheIdAndTheSpellingAreTheRequestsOwn) {
  TestServer& server = serve();
  const auto infer = [&](const std::string& more) {
    return server.client().post(
        "/v2/models/a/infer",
        R"({"inputs":[{"name":"text_input","shape":[1,1],"datatype":"BYTES","data":["ab"]}],)"
        R"("parameters":{"temperature":0)" + more);
  };
  const TestResponse json = infer(R"(},"id":"x"})");
  EXPECT_THAT(json.body, HasSubstr(R"("id":"x")"));
  EXPECT_THAT(json.body, HasSubstr(R"("model_name":"a","model_version":"1")"));
  const TestResponse binary = infer(R"(,"binary_data_output":true}})");
  EXPECT_THAT(binary.body, Not(HasSubstr(R"("id")")));
  EXPECT_FALSE(binary.header("inference-header-content-length").empty());
  EXPECT_EQ(binary.header("content-type"), "application/octet-stream");
  EXPECT_EQ(infer(R"(},"id":"x"})").body, json.body);
  EXPECT_EQ(stats(), "2 hits, 1 misses, 3 successes");
  EXPECT_THAT(server.client().post("/v2/models/a:1/infer",
        R"({"inputs":[{"name":"text_input","shape":[1,1],"datatype":"BYTES","data":["ab"]}],)"
        R"("parameters":{"temperature":0}})").body, HasSubstr(R"("model_name":"a:1")"));
  EXPECT_EQ(stats(), "3 hits, 1 misses, 4 successes");
}

TEST_F(KeptAnswerTest, WhatTheAnswerDependsOnIsPartOfTheQuestion) {
  serve();
  int misses = 0;
  for (const char* members :
       {R"("temperature":0)", R"("temperature":1,"seed":1)", R"("temperature":1,"seed":2)",
        R"("temperature":0,"exclude_input_in_output":true)", R"("temperature":0,"details":true)",
        R"("temperature":0,"return_finish_reason":true)", R"("temperature":0,"top_k":3)",
        R"("seed":1)"}) {
    ask(members);
    EXPECT_EQ(stats(), fmt::format("0 hits, {0} misses, {0} successes", ++misses)) << members;
  }
}

TEST_F(KeptAnswerTest, WhatIsDrawnByChanceOrStreamedIsNeitherLookedUpNorKept) {
  TestServer& server = serve();
  for (int i = 0; i < 2; ++i) {
    ask(R"("temperature":1)");
    ask_at("/v2/models/a/generate_stream", R"("temperature":0)");
  }
  EXPECT_EQ(stats(), "0 hits, 0 misses, 4 successes");
  EXPECT_EQ(server.metric("quire_response_cache_entries"), 0);
  const TestResponse refused = server.client().post(kGenerate, R"({"text_input":"a","top_k":"x"})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(stats(), "0 hits, 0 misses, 4 successes");
}

TEST_F(KeptAnswerTest, LogitsAreKept) {
  TestServer& server = serve();
  const auto ask_logits = [&](const char* ids) {
    return server.client().post(
        "/v2/models/a/infer", R"({"inputs":[{"name":"input_ids","shape":[1,2],)"
                              R"("datatype":"INT32","data":)" + std::string(ids) + "}]}").body;
  };
  const std::string first = ask_logits("[1,2]");
  EXPECT_EQ(ask_logits("[1,2]"), first);
  EXPECT_NE(ask_logits("[1,3]"), first);
  EXPECT_EQ(stats(), "1 hits, 2 misses, 3 successes");
}

TEST_F(KeptAnswerTest, ANewVersionAndANewConfigBeginAnew) {
  serve();
  ask(R"("temperature":0)");
  there_.version("a", 1, "other bytes");
  ASSERT_TRUE(there_.repository().load("a").is_ok());
  ask(R"("temperature":0)");
  EXPECT_EQ(stats(), "0 hits, 2 misses, 2 successes");
  ask(R"("temperature":0)");
  EXPECT_EQ(stats(), "1 hits, 2 misses, 3 successes");
  there_.version("a", 2);
  ASSERT_TRUE(there_.repository().load("a").is_ok());
  ask(R"("temperature":0)");
  EXPECT_EQ(stats(), "0 hits, 1 misses, 1 successes") << "another version";
  // The old one goes when whoever was answered last has let it go, which may be after his answer.
  constexpr int kLooksMax = 6000;
  int looks = 0;
  while (server_->metric("quire_response_cache_entries") != 1 && ++looks < kLooksMax) {}
  EXPECT_LT(looks, kLooksMax) << "of the one that is there";
  there_.write("a/config.pbtxt", "");
  ASSERT_TRUE(there_.repository().load("a").is_ok());
  ask(R"("temperature":0)");
  ask(R"("temperature":0)");
  EXPECT_EQ(stats(), "0 hits, 1 misses, 3 successes") << "no lookup: its config does not say so";
}

TEST_F(KeptAnswerTest, TenantsDoNotShareAnswers) {
  ServerOptions options = kSome;
  options.api_keys = {"one", "two"};
  serve(options);
  for (const char* key : {"one", "two", "one"}) {
    ask(R"("temperature":0)", "Authorization: Bearer " + std::string(key) + "\r\n");
  }
  EXPECT_EQ(server_->metric("quire_response_cache_entries"), 2);
}

TEST_F(KeptAnswerTest, WhatIsTooLargeIsAnsweredAndNotKept) {
  ServerOptions options = kSome;
  options.response_cache_bytes = 64;
  serve(options);
  EXPECT_EQ(ask(R"("seed":1)"), ask(R"("seed":1)"));
  EXPECT_EQ(stats(), "0 hits, 2 misses, 2 successes");
}

TEST(KeptAnswerOfQueuesTest, WhatTheQueuesMakeOfATimeoutIsPartOfTheQuestion) {
  TestRepository there({.batching = {.levels = 2, .default_level = 1}});
  there.write("a/config.pbtxt", kKeeps);
  there.version("a", 1);
  TestServer& server = there.serve(kSome);
  const auto ask = [&](const std::string& more) {
    const TestResponse answer = server.client().post(
        "/v2/models/a/infer",
        R"({"inputs":[{"name":"text_input","shape":[1,1],"datatype":"BYTES","data":["ab"]}],)"
        R"("parameters":{"max_tokens":4,"temperature":0)" + more + "}}");
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body;
  };
  EXPECT_THAT(ask(R"(,"timeout":99000000)"), HasSubstr(R"("quire_unknown_parameters":"timeout")"));
  EXPECT_THAT(ask(""), Not(HasSubstr("quire_unknown_parameters")));
  EXPECT_THAT(ask(R"(,"timeout":99000000)"), HasSubstr(R"("quire_unknown_parameters":"timeout")"));
  EXPECT_EQ(server.metric("quire_response_cache_entries"), 2);
}

TEST_F(KeptAnswerTest, LogitsBeyondFourMebibytesAreNotKept) {
  TestServer& server = serve({.response_cache_bytes = std::size_t{64} << 20});
  std::string ids = "1";
  for (int i = 1; i < 1000; ++i) ids += ",1";
  const std::string rows = "[" + ids + "]";
  std::string all = rows;
  for (int i = 1; i < 8; ++i) all += "," + rows;
  const TestResponse answer = server.client().post(
      "/v2/models/a/infer",
      R"({"inputs":[{"name":"input_ids","shape":[8,1000],"datatype":"INT32","data":[)" + all +
          R"(]}],"parameters":{"binary_data_output":true}})");
  EXPECT_EQ(answer.status, 200) << answer.body.substr(0, 200);
  EXPECT_GT(answer.body.size(), std::size_t{4} << 20);
  EXPECT_EQ(server.metric("quire_response_cache_entries"), 0);
}

TEST_F(KeptAnswerTest, WithoutACacheTheConfigIsToldThatItDoesNothing) {
  TestServer& server = serve({});
  EXPECT_EQ(ask(R"("seed":1)"), ask(R"("seed":1)"));
  EXPECT_EQ(stats(), "0 hits, 0 misses, 2 successes");
  EXPECT_EQ(server.metric("quire_response_cache_entries"), -1);
  const auto config = there_.repository().config("a");
  ASSERT_EQ(config->warnings.size(), 1u);
  EXPECT_THAT(config->warnings.front(), HasSubstr("--cache-config local,size=BYTES"));
}

TEST_F(KeptAnswerTest, TritonsMetricsTellHitsAndMisses) {
  ServerOptions options = kSome;
  options.metric_names = Metrics::Names::kTriton;
  TestServer& server = serve(options);
  for (int i = 0; i < 3; ++i) ask(R"("temperature":0)");
  const std::string text = server.client().get("/metrics").body;
  EXPECT_THAT(text, HasSubstr(R"(nv_cache_num_hits_per_model{model="a",version="1"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(nv_cache_num_misses_per_model{model="a",version="1"} 1)"));
  EXPECT_THAT(text, HasSubstr("nv_cache_hit_duration_per_model{"));
  EXPECT_THAT(text, HasSubstr("nv_cache_miss_duration_per_model{"));
  EXPECT_THAT(text, HasSubstr(R"(nv_inference_request_success{model="a",version="1"} 3)"));
}

}  // namespace
}  // namespace quire
