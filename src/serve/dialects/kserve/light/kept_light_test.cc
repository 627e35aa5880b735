// The response cache for models without an engine: what is a function of its inputs is answered
// once, an ensemble too if each of its steps would answer the same.
#include "serve/dialects/kserve/light/kept_light.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_ensemble.h"
#include "serve/testing/test_light_model.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

const ServerOptions kSome = {.metric_names = Metrics::Names::kAll, .response_cache_bytes = 1 << 20};
constexpr const char* kKeeps = "response_cache { enable: true } ";

class KeptLightTest : public LightModelTest {
 protected:
  void expression(const std::string& text = "A + 1") {
    there_.write("x/config.pbtxt",
                 std::string("backend: \"quire_expression\" max_batch_size: 8 ") + kKeeps +
                     test_tensor("input", "A", "INT64", "-1") +
                     test_tensor("output", "Y", "INT64", "-1") +
                     "parameters { key: \"Y\" value { string_value: \"" + text + "\" } }");
    there_.write("x/1/README", "x");
  }
  // IN -> story -> OUT
  void ensemble(const std::string& more = kKeeps) {
    there_.version("story", 1);
    there_.write("e/config.pbtxt",
                 more + test_ensemble(test_text_ends(),
                                      test_step("story", "text_input=IN", "text_output=OUT")));
    there_.write("e/1/README", "x");
  }
  TestResponse say(const std::string& parameters, const std::string& more = "") {
    return infer("e", input("IN", "BYTES", "[1,1]", R"(["ab"])"),
                 R"(,"parameters":{"max_tokens":4,)" + parameters + "}" + more);
  }
  TestResponse add(const std::string& data, const std::string& more = "") {
    return infer("x", input("A", "INT64", "[1,2]", data), more);
  }
  std::string stats(const std::string& model) {
    const Json body = *parse_json(server_->client().get("/v2/models/" + model + "/stats").body);
    const Json& inner = *body.find("model_stats")->items().at(0).find("inference_stats");
    const auto count = [&](const char* name) { return inner.find(name)->find("count")->as_int(); };
    return fmt::format("{} hits, {} misses, {} successes, {} computed", count("cache_hit"),
                       count("cache_miss"), count("success"), count("compute_infer"));
  }
};

TEST_F(KeptLightTest, ExpressionsAreComputedOnce) {
  expression();
  server_ = &there_.serve(kSome);
  const TestResponse first = add("[1,2]");
  EXPECT_EQ(tensors(first), "Y INT64 [1,2] [2,3]; ");
  EXPECT_EQ(stats("x"), "0 hits, 1 misses, 1 successes, 1 computed");
  EXPECT_EQ(add("[1,2]").body, first.body);
  EXPECT_THAT(add("[1,2]", R"(,"id":"me")").body, HasSubstr(R"("id":"me")"));
  EXPECT_EQ(stats("x"), "2 hits, 1 misses, 3 successes, 1 computed");
  const Json told = *parse_json(server_->client().get("/v2/models/x/stats").body);
  const Json& inner = *told.find("model_stats")->items().at(0).find("inference_stats");
  EXPECT_EQ(inner.find("queue")->find("count")->as_int(), 3) << "as Triton counts";
  EXPECT_NEAR(server_->metric("nv_inference_request_duration_us{model=\"x\"}"),
              static_cast<double>(inner.find("success")->find("ns")->as_int()) / 1000, 1);
  EXPECT_EQ(tensors(add("[1,3]")), "Y INT64 [1,2] [2,4]; ");
  EXPECT_EQ(stats("x"), "2 hits, 2 misses, 4 successes, 2 computed");
  EXPECT_EQ(server_->metric("nv_cache_num_hits_per_model{model=\"x\"}"), 2);
  EXPECT_EQ(server_->metric("nv_inference_request_success{model=\"x\"}"), 4);
  EXPECT_EQ(server_->metric("nv_inference_count{model=\"x\"}"), 2);
  EXPECT_EQ(server_->metric("quire_response_cache_entries"), 2) << "looking drops nothing";
}

TEST_F(KeptLightTest, WhatCannotBeComputedIsNotKept) {
  expression("A // (A - A)");
  server_ = &there_.serve(kSome);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(add("[1,2]").status, 400);
  EXPECT_EQ(stats("x"), "0 hits, 0 misses, 0 successes, 0 computed");
  EXPECT_EQ(server_->metric("quire_response_cache_entries"), 0);
}

TEST_F(KeptLightTest, AnotherConfigBeginsAnewAndWhoIsGoneIsForgotten) {
  expression();
  server_ = &there_.serve(kSome);
  add("[1,2]");
  expression("A + 2");
  const auto order = [&](const std::string& what) {
    return server_->client().post("/v2/repository/models/" + what, "").status;
  };
  EXPECT_EQ(order("x/load"), 200);
  EXPECT_EQ(tensors(add("[1,2]")), "Y INT64 [1,2] [3,4]; ");
  EXPECT_EQ(stats("x"), "0 hits, 2 misses, 1 successes, 1 computed");
  EXPECT_EQ(order("x/unload"), 200);
  EXPECT_EQ(server_->metric("quire_response_cache_entries"), 0);
}

TEST_F(KeptLightTest, AnEnsembleIsKeptWhereEachStepWouldAnswerTheSame) {
  ensemble();
  server_ = &there_.serve(kSome);
  const TestResponse first = say(R"("temperature":0)");
  ASSERT_EQ(first.status, 200) << first.body;
  const double steps = server_->metric("quire_steps_total");
  EXPECT_EQ(say(R"("temperature":0)").body, first.body);
  EXPECT_EQ(server_->metric("quire_steps_total"), steps) << "nobody computes";
  EXPECT_EQ(stats("e"), "1 hits, 1 misses, 2 successes, 1 computed");
  EXPECT_EQ(stats("story"), "0 hits, 0 misses, 1 successes, 1 computed");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(say(R"("temperature":1)").status, 200);
  EXPECT_EQ(stats("e"), "1 hits, 1 misses, 4 successes, 3 computed")
      << "what is drawn by chance is neither kept nor counted";
  EXPECT_EQ(say(R"("temperature":1,"seed":3)").body, say(R"("temperature":1,"seed":3)").body);
  EXPECT_EQ(stats("e"), "2 hits, 2 misses, 6 successes, 4 computed");
}

TEST_F(KeptLightTest, AnEnsembleBeginsAnewWithAnotherModelOfAStep) {
  ensemble();
  server_ = &there_.serve(kSome);
  ASSERT_EQ(say(R"("temperature":0)").status, 200);
  there_.version("story", 2);
  EXPECT_EQ(server_->client().post("/v2/repository/models/story/load", "").status, 200);
  ASSERT_EQ(say(R"("temperature":0)").status, 200);
  EXPECT_EQ(stats("e"), "0 hits, 2 misses, 2 successes, 2 computed");
  EXPECT_EQ(server_->client().post("/v2/repository/models/story/unload", "").status, 200);
  EXPECT_EQ(say(R"("temperature":0)").status, 404) << "what cannot be asked is not answered";
}

TEST_F(KeptLightTest, OnlyWhereTheConfigAsksForIt) {
  ensemble("");
  server_ = &there_.serve(kSome);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(say(R"("temperature":0)").status, 200);
  EXPECT_EQ(stats("e"), "0 hits, 0 misses, 2 successes, 2 computed");
}

}  // namespace
}  // namespace quire
