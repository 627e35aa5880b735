// What Triton's metrics and statistics say of ensembles and of other models without an engine:
// requests, their outcome and their times, of the whole and of what it stands on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_ensemble.h"
#include "serve/testing/test_light_model.h"

namespace quire {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LightCountsTest : public LightModelTest {
 protected:
  // IN -> double (expressions) -> MID -> story:2's text; OUT.
  void SetUp() override {
    there_.write("shout/config.pbtxt",
                 "backend: \"quire_expression\" max_batch_size: 8 " +
                     test_tensor("input", "T", "STRING") + test_tensor("output", "U", "STRING") +
                     "parameters { key: \"U\" value { string_value: \"substring(T, 0, 2)\" } }");
    there_.write("shout/1/README", "x");
    there_.version("story", 2);
    there_.write("e/config.pbtxt",
                 test_ensemble(test_text_ends(), test_step("shout", "T=IN", "U=MID") +
                                                     test_step("story", "text_input=MID",
                                                               "text_output=OUT")));
    there_.write("e/3/README", "x");
    server_ = &there_.serve({.metric_names = Metrics::Names::kAll});
  }
  TestResponse ask(const std::string& text, const std::string& more = "") {
    return infer("e", input("IN", "BYTES", "[2,1]", R"([")" + text + R"(",")" + text + R"("])"),
                 R"(,"parameters":{"max_tokens":2)" + more + "}");
  }
  std::string metrics() { return server_->client().get("/metrics").body; }
  double metric(const std::string& name, const std::string& model) {
    return server_->metric(name + "{model=\"" + model + "\"}");
  }
  Json stats(const std::string& model) {
    const Json body = *parse_json(server_->client().get("/v2/models/" + model + "/stats").body);
    return body.find("model_stats")->items().at(0);
  }
  static std::int64_t count(const Json& stats, const char* name) {
    return stats.find("inference_stats")->find(name)->find("count")->as_int();
  }
  static std::int64_t nanos(const Json& stats, const char* name) {
    return stats.find("inference_stats")->find(name)->find("ns")->as_int();
  }
};

TEST_F(LightCountsTest, RequestsAreCountedForTheEnsembleAndForItsSteps) {
  ASSERT_EQ(ask("abc").status, 200);
  ASSERT_EQ(ask("abcd").status, 200);
  for (const char* model : {"e", "shout", "story"}) {
    EXPECT_EQ(metric("nv_inference_request_success", model), 2) << model;
    EXPECT_EQ(metric("nv_inference_count", model), 4) << model << ": of the batches";
    EXPECT_EQ(metric("nv_inference_pending_request_count", model), 0) << model;
    EXPECT_EQ(metric("nv_inference_compute_input_duration_us", model), 0) << model;
    EXPECT_GT(metric("nv_inference_request_duration_us", model), 0) << model;
    EXPECT_GE(metric("nv_inference_request_duration_us", model),
              metric("nv_inference_compute_infer_duration_us", model)) << model;
  }
  EXPECT_EQ(metric("nv_inference_exec_count", "e"), 2);
  EXPECT_EQ(metric("nv_inference_exec_count", "shout"), 2);
  EXPECT_GE(metric("nv_inference_compute_infer_duration_us", "e"),
            metric("nv_inference_compute_infer_duration_us", "shout")) << "it is its steps'";
  const std::string text = metrics();
  EXPECT_THAT(text, HasSubstr(R"(nv_inference_request_success{model="e",version="3"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(nv_inference_request_success{model="shout",version="1"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(nv_inference_request_success{model="story",version="2"} 2)"));
  EXPECT_THAT(text, Not(HasSubstr(R"(nv_inference_count{model="story:2")")));
}

TEST_F(LightCountsTest, WhatFailsIsCountedByReason) {
  const auto failed = [&](const std::string& model, const std::string& reason) {
    const std::string line = R"(nv_inference_request_failure{model=")" + model + "\",version=\"" +
                             (model == "e" ? "3" : "1") + R"(",reason=")" + reason + "\"} ";
    const std::string text = metrics();
    const std::size_t at = text.find(line);
    return at == text.npos ? -1 : std::stoi(text.substr(at + line.size()));
  };
  EXPECT_EQ(failed("e", "OTHER"), 0);
  EXPECT_EQ(ask("").status, 400) << "the model wants a text";
  EXPECT_EQ(failed("e", "OTHER"), 1);
  EXPECT_EQ(failed("shout", "BACKEND"), 0);
  EXPECT_EQ(failed("shout", "REJECTED"), 0);
  EXPECT_EQ(failed("shout", "CANCELED"), 0);
  EXPECT_EQ(infer("shout", input("T", "BYTES", "[1]", R"(["ab"])")).status, 400);
  EXPECT_EQ(failed("shout", "BACKEND"), 0) << "it was refused before it was computed";
  EXPECT_EQ(metric("nv_inference_request_success", "e"), 0);
}

TEST_F(LightCountsTest, StatisticsSayTheSame) {
  ASSERT_EQ(ask("abc").status, 200);
  ASSERT_EQ(ask("").status, 400);
  const Json e = stats("e"), shout = stats("shout");
  EXPECT_EQ(e.find("version")->as_string(), "3");
  EXPECT_EQ(e.find("inference_count")->as_int(), 2);
  EXPECT_EQ(e.find("execution_count")->as_int(), 1);
  for (const char* name : {"success", "queue", "compute_input", "compute_infer",
                           "compute_output"}) {
    EXPECT_EQ(count(e, name), 1) << name;
    EXPECT_EQ(count(shout, name), 2) << name;
  }
  EXPECT_EQ(count(e, "fail"), 1);
  EXPECT_GT(nanos(e, "compute_infer"), 0);
  EXPECT_LE(nanos(e, "compute_infer") + nanos(e, "queue"), nanos(e, "success"));
  EXPECT_EQ(nanos(e, "compute_input"), 0);
  EXPECT_EQ(count(e, "cache_hit") + count(e, "cache_miss"), 0);
}

}  // namespace
}  // namespace quire
