// Ensembles over HTTP: steps are asked as clients would ask them, one by one or at once; what goes
// wrong is told with the step; whoever leaves ends what runs for him.
#include "serve/dialects/kserve/light/ensemble_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_ensemble.h"
#include "serve/testing/test_repository.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

constexpr const char* kGreedy = R"("parameters":{"max_tokens":4,"seed":5})";

class EnsembleRunTest : public ::testing::Test {
 protected:
  EnsembleRunTest() {
    there_.version("a", 1);
    there_.version("b", 1);
    there_.write("b/config.pbtxt", "version_policy { all {} }");
    there_.version("b", 2);
  }
  void ensemble(const std::string& name, const std::string& steps,
                const std::string& ends = test_text_ends(), int batch_max = 8) {
    there_.write(name + "/config.pbtxt", test_ensemble(ends, steps, batch_max));
    there_.write(name + "/1/README", "nothing is needed here");
  }
  // IN -> a -> MID -> b:1 -> OUT, which has what both said behind each other.
  void chain(const std::string& name = "e") {
    ensemble(name, test_step("b", "text_input=MID", "text_output=OUT", "model_version: 1") +
                       test_step("a", "text_input=IN", "text_output=MID"));
  }
  TestServer& serve(ServerOptions options = {}) { return *(server_ = &there_.serve(options)); }

  TestResponse infer(const std::string& model, const std::string& inputs,
                     const std::string& more = "") const {
    return server_->client().post("/v2/models/" + model + "/infer",
                                  R"({"inputs":[)" + inputs + "]" + (more.empty() ? "" : ",") +
                                      more + "}");
  }
  static std::string text(const std::string& name, const std::string& value) {
    return fmt::format(R"({{"name":"{}","shape":[1,1],"datatype":"BYTES","data":["{}"]}})", name,
                       value);
  }
  static std::string said(const TestResponse& answer, std::size_t output = 0) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    const Json body = *parse_json(answer.body);
    return dump(*body.find("outputs")->items().at(output).find("data"));
  }
  std::string refusal(const TestResponse& answer, int status = 400) const {
    EXPECT_EQ(answer.status, status) << answer.body;
    const Json body = *parse_json(answer.body);
    return body.find("error") == nullptr ? answer.body : body.find("error")->as_string();
  }
  Json stats(const std::string& name) const {
    const Json body = *parse_json(server_->client().get("/v2/models/" + name + "/stats").body);
    return body.find("model_stats")->items().at(0);
  }

  TestRepository there_;
  TestServer* server_ = nullptr;
};

TEST_F(EnsembleRunTest, StepsAreAskedOneAfterTheOtherAsAClientWouldAskThem) {
  chain();
  serve();
  const std::string first = said(infer("a", text("text_input", "ab"), kGreedy));
  const std::string middle = first.substr(2, first.size() - 4);  // ["..."]
  const TestResponse whole = infer("e", text("IN", "ab"), kGreedy);
  const Json body = *parse_json(whole.body);
  EXPECT_EQ(body.find("model_name")->as_string(), "e");
  EXPECT_EQ(body.find("model_version")->as_string(), "1");
  EXPECT_EQ(body.find("outputs")->items().size(), 1u);
  EXPECT_EQ(body.find("outputs")->items().front().find("name")->as_string(), "OUT");
  EXPECT_EQ(said(whole), said(infer("b/versions/1", text("text_input", middle), kGreedy)));
  EXPECT_NE(said(whole), first);
  const Json own = stats("e");
  EXPECT_EQ(own.find("inference_count")->as_int(), 1);
  EXPECT_EQ(own.find("inference_stats")->find("success")->find("count")->as_int(), 1);
  EXPECT_EQ(stats("a").find("inference_count")->as_int(), 2) << "its steps count, too";
}

TEST_F(EnsembleRunTest, IdsAndBinaryTensorsGoThroughBitForBit) {
  ensemble("e", test_step("a", "input_ids=IDS", "logits=LOGITS"),
           test_tensor("input", "IDS", "INT32", "-1") +
               test_tensor("output", "LOGITS", "FP32", "-1, -1"));
  serve();
  const std::string ids = R"("shape":[1,3],"datatype":"INT32","data":[65,66,67])";
  const std::string binary = R"("parameters":{"binary_data_output":true},"id":"x")";
  const TestResponse own = infer("a", R"({"name":"input_ids",)" + ids + "}", binary);
  const TestResponse made = infer("e", R"({"name":"IDS",)" + ids + "}", binary);
  ASSERT_EQ(made.status, 200) << made.body;
  const auto tensors = [](const TestResponse& answer) {
    return answer.body.substr(std::stoul(answer.header("inference-header-content-length")));
  };
  EXPECT_FALSE(tensors(made).empty());
  EXPECT_EQ(tensors(made), tensors(own));
  EXPECT_THAT(made.body, HasSubstr(R"("id":"x")"));
}

TEST_F(EnsembleRunTest, OnlyWhatIsAskedForIsComputed) {
  ensemble("e",
           test_step("a", "text_input=IN", "text_output=OUT num_output_tokens=COUNT") +
               test_step("b", "text_input=IN", "text_output=OTHER"),
           test_text_ends() + test_tensor("output", "OTHER", "STRING") +
               test_tensor("output", "COUNT", "UINT32"));
  serve();
  const TestResponse one =
      infer("e", text("IN", "ab"), std::string(kGreedy) + R"(,"outputs":[{"name":"COUNT"}])");
  EXPECT_EQ(said(one), "[4]");
  EXPECT_EQ(parse_json(one.body)->find("outputs")->items().size(), 1u);
  EXPECT_EQ(stats("b").find("inference_count")->as_int(), 0);
  const TestResponse all = infer("e", text("IN", "ab"), kGreedy);
  EXPECT_EQ(parse_json(all.body)->find("outputs")->items().size(), 3u);
  EXPECT_EQ(said(all, 0), said(all, 1)) << "equal models answer equally";
}

TEST_F(EnsembleRunTest, GenerateMapsMembersToInputs) {
  chain();
  serve();
  const TestResponse made = server_->client().post(
      "/v2/models/e/generate", R"({"IN":"ab","max_tokens":4,"parameters":{"seed":5}})");
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ("[" + dump(*parse_json(made.body)->find("OUT")) + "]",
            said(infer("e", text("IN", "ab"), kGreedy)));
  const TestResponse events = server_->client().post(
      "/v2/models/e/generate_stream", R"({"IN":"ab","max_tokens":4,"seed":5})");
  EXPECT_EQ(events.header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_EQ(events.body, "data: " + made.body + "\n\n");
}

TEST_F(EnsembleRunTest, ItIsShownAsOneOfTheModels) {
  chain();
  serve();
  const auto get = [&](const std::string& path) {
    return server_->client().get("/v2/models/e" + path);
  };
  EXPECT_EQ(get("").body,
            R"({"name":"e","versions":["1"],"platform":"ensemble",)"
            R"("inputs":[{"name":"IN","datatype":"BYTES","shape":[-1,1]}],)"
            R"("outputs":[{"name":"OUT","datatype":"BYTES","shape":[-1,1]}]})");
  EXPECT_THAT(get("/config").body, HasSubstr(R"("model_name":"b","model_version":1)"));
  EXPECT_EQ(get("/ready").status, 200);
  EXPECT_EQ(get("/versions/2/ready").status, 404);
  EXPECT_THAT(server_->client().post("/v2/repository/index", "").body,
              HasSubstr(R"({"name":"e","version":"1","state":"READY","reason":""})"));
  const Json all = *parse_json(server_->client().get("/v2/models/stats").body);
  EXPECT_EQ(all.find("model_stats")->items().size(), 4u);
  EXPECT_EQ(server_->client().get("/v2/health/ready").status, 200);
}

TEST_F(EnsembleRunTest, WhatARequestHasWrongIsToldBeforeAnyStep) {
  chain();
  serve();
  const std::string in = text("IN", "ab");
  EXPECT_EQ(refusal(infer("e", in + "," + text("X", "y"))),
            "unexpected inference input 'X' for model 'e'");
  EXPECT_EQ(refusal(infer("e", in + "," + in)), "input 'IN' already exists in request");
  EXPECT_EQ(refusal(infer("e", "")),
            "expected 1 inputs but got 0 inputs for model 'e'. Got input(s) [], but missing "
            "required input(s) ['IN']. Please provide all required input(s).");
  EXPECT_EQ(refusal(infer("e", R"({"name":"IN","shape":[1,1],"datatype":"INT32","data":[1]})")),
            "inference input 'IN' data-type is 'INT32', but model 'e' expects 'BYTES'");
  EXPECT_EQ(refusal(infer("e", R"({"name":"IN","shape":[2],"datatype":"BYTES","data":["a","b"]})")),
            "unexpected shape for input 'IN' for model 'e'. Expected [-1,1], got [2].");
  EXPECT_THAT(refusal(infer("e", R"({"name":"IN","shape":[9,1],"datatype":"BYTES","data":)"
                                 R"(["","","","","","","","",""]})")),
              HasSubstr("batch-size must be from 1 to 8 for 'e', not 9"));
  EXPECT_EQ(refusal(infer("e", in, R"("outputs":[{"name":"MID"}])")),
            "unexpected inference output 'MID' for model 'e'");
  EXPECT_THAT(refusal(infer("e", in, R"("parameters":{"sequence_id":3})")),
              HasSubstr("'sequence_id'"));
  EXPECT_THAT(refusal(infer("e", in, R"("parameters":{"timeout":"soon"})")),
              HasSubstr("'timeout'"));
  EXPECT_EQ(server_->metric("quire_steps_total"), 0);
}

TEST_F(EnsembleRunTest, AStepsErrorIsTheEnsemblesWithItsPlaceAndStatus) {
  chain();
  ensemble("wrong", test_step("a", "text_input=IN", "nothing=OUT"));
  ensemble("typed", test_step("a", "text_input=IN", "text_output=OUT"),
           test_tensor("input", "IN", "STRING") + test_tensor("output", "OUT", "INT32"));
  serve();
  EXPECT_EQ(refusal(infer("e", text("IN", ""), kGreedy)),
            "in ensemble 'e', step 1 (model 'a'): " +
                refusal(infer("a", text("text_input", ""), kGreedy)));
  EXPECT_THAT(refusal(infer("e", text("IN", "a"), R"("parameters":{"nothing":1})")),
              HasSubstr("step 1 (model 'a'): "));
  EXPECT_EQ(refusal(infer("wrong", text("IN", "a"), kGreedy)),
            "in ensemble 'wrong', step 0 (model 'a'): unexpected inference output 'nothing' for "
            "model 'a'");
  EXPECT_EQ(refusal(infer("typed", text("IN", "a"), kGreedy), 500),
            "in ensemble 'typed', step 0 (model 'a'): unexpected datatype TYPE_STRING for output "
            "'text_output' of the model (tensor 'OUT') as the ensemble's output, which expects "
            "TYPE_INT32");
  EXPECT_EQ(stats("e").find("inference_stats")->find("fail")->find("count")->as_int(), 2);
  EXPECT_EQ(said(infer("e", text("IN", "ab"), kGreedy)).substr(0, 4), "[\"ab")
      << "others are not disturbed";
}

TEST_F(EnsembleRunTest, WhatStepsDidNotKnowIsToldOnce) {
  chain();
  serve({.unknown_fields_warn = true});
  const TestResponse made =
      infer("e", text("IN", "ab"), R"("parameters":{"max_tokens":4,"seed":5,"z":1,"nothing":1})");
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_THAT(made.body, HasSubstr(R"("parameters":{"quire_unknown_parameters":"nothing,z"})"));
}

// A step is asked as anybody would ask: its model's cache answers, and its own tenant's alone.
TEST_F(EnsembleRunTest, AStepsModelMayAnswerFromItsCache) {
  chain();
  there_.write("a/config.pbtxt", "response_cache { enable: true }");
  serve({.api_keys = {"one", "two"}, .response_cache_bytes = 1 << 20});
  const auto ask = [&](const std::string& key) {
    const TestResponse made = server_->client().post(
        "/v2/models/e/infer", R"({"inputs":[)" + text("IN", "ab") + "]," + kGreedy + "}",
        "Authorization: Bearer " + key + "\r\n");
    EXPECT_EQ(made.status, 200) << made.body;
    return made.body;
  };
  const std::string first = ask("one");
  EXPECT_EQ(ask("one"), first);
  EXPECT_EQ(server_->metric("quire_response_cache_lookups_total{outcome=\"hit\"}"), 1);
  EXPECT_EQ(ask("two"), first);
  EXPECT_EQ(server_->metric("quire_response_cache_lookups_total{outcome=\"hit\"}"), 1);
}

TEST_F(EnsembleRunTest, AStepThatIsNotServedIsToldByName) {
  chain();
  serve();
  const auto order = [&](const std::string& what, const std::string& body = "") {
    return server_->client().post("/v2/repository/models/" + what, body);
  };
  EXPECT_EQ(order("a/unload").status, 200);
  EXPECT_EQ(refusal(infer("e", text("IN", "ab"), kGreedy), 404),
            "in ensemble 'e', step 1 (model 'a'): Request for unknown model: 'a' has no available "
            "versions");
  EXPECT_EQ(refusal(server_->client().get("/v2/models/e/ready")), "Model version not ready");
  EXPECT_EQ(order("e/load").status, 200) << "what its steps need is loaded with it";
  EXPECT_EQ(infer("e", text("IN", "ab"), kGreedy).status, 200);
  EXPECT_EQ(order("e/unload").status, 200);
  EXPECT_THAT(refusal(infer("e", text("IN", "ab")), 404), HasSubstr("'e' has no available"));
  EXPECT_EQ(order("e/load").status, 200);
  const TestResponse all = order("e/unload", R"({"parameters":{"unload_dependents":true}})");
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(all.header("warning"), "");
  EXPECT_EQ(server_->client().get("/v2/models/a/ready").status, 404);
  EXPECT_EQ(server_->client().get("/v2/models/b/ready").status, 404);
}

TEST_F(EnsembleRunTest, EnsemblesMayStandOnEnsembles) {
  chain("below");
  ensemble("e", test_step("below", "IN=IN", "OUT=MID") +
                    test_step("a", "text_input=MID", "text_output=OUT"));
  serve();
  const std::string below = said(infer("below", text("IN", "ab"), kGreedy));
  const std::string middle = below.substr(2, below.size() - 4);
  EXPECT_EQ(said(infer("e", text("IN", "ab"), kGreedy)),
            said(infer("a", text("text_input", middle), kGreedy)));
  EXPECT_THAT(refusal(infer("e", text("IN", ""), kGreedy)),
              HasSubstr("in ensemble 'e', step 0 (model 'below'): in ensemble 'below', step 1"));
}

TEST_F(EnsembleRunTest, TimeoutAndPriorityHoldForEveryStep) {
  chain();
  serve();
  const char* hurry = R"("parameters":{"max_tokens":900,"timeout":1})";
  EXPECT_THAT(refusal(infer("e", text("IN", "ab"), hurry), 503),
              HasSubstr("in ensemble 'e', step 1 (model 'a')"));
  EXPECT_EQ(infer("e", text("IN", "ab"),
                  R"("parameters":{"max_tokens":2,"priority":3,"timeout":60000000})").status, 200);
}

TEST_F(EnsembleRunTest, AClientThatLeavesEndsTheStepThatRuns) {
  chain();
  serve();
  server_->gate().close();
  TestClient leaving = server_->client();
  leaving.send(post_bytes("/v2/models/e/infer",
                          R"({"inputs":[)" + text("IN", "ab") +
                              R"(],"parameters":{"max_tokens":900}})"));
  server_->gate().let_pass(3);
  server_->wait_for_metric("quire_requests_running", 1);
  leaving.close();
  server_->wait_for_metric("quire_clients_left_total", 1);
  server_->gate().open();
  server_->wait_for_metric("quire_requests_running", 0);
  EXPECT_EQ(stats("b").find("inference_count")->as_int(), 0) << "no further step was asked";
  EXPECT_EQ(infer("e", text("IN", "ab"), kGreedy).status, 200);
}

TEST_F(EnsembleRunTest, StepsThatDoNotNeedEachOtherRunAtTheSameTime) {
  ensemble("e",
           test_step("a", "text_input=IN", "text_output=OUT") +
               test_step("b", "text_input=IN", "text_output=OTHER"),
           test_text_ends() + test_tensor("output", "OTHER", "STRING"));
  serve();
  server_->gate().close();
  TestClient waiting = server_->client();
  waiting.send(post_bytes("/v2/models/e/infer",
                          R"({"inputs":[)" + text("IN", "ab") +
                              R"(],"parameters":{"max_tokens":900}})"));
  while (server_->metric("quire_requests_running") < 2) server_->gate().let_pass(1);
  server_->gate().open();
  EXPECT_EQ(waiting.receive().status, 200);
}

TEST_F(EnsembleRunTest, OptionalInputsMayBeAbsent) {
  ensemble("e", test_step("a", "text_input=IN max_tokens=COUNT", "text_output=OUT"),
           test_text_ends() + test_tensor("input", "COUNT", "INT32", "1", "optional: true"));
  serve();
  EXPECT_EQ(infer("e", text("IN", "ab"), kGreedy).status, 200);
  const std::string count = R"(,{"name":"COUNT","shape":[1,1],"datatype":"INT32","data":[2]})";
  const std::string two = said(infer("e", text("IN", "ab") + count,
                                     R"("parameters":{"seed":5})"));
  EXPECT_EQ(two, said(infer("a", text("text_input", "ab"),
                            R"("parameters":{"seed":5,"max_tokens":2})")));
}

}  // namespace
}  // namespace quire
