// What an operator of a repository is told over HTTP: why a model is not there, whether the server
// is ready, what of a config does nothing, and what a config cannot say of an engine's tensors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "serve/testing/test_repository.h"

namespace quire {
namespace {

using testing::HasSubstr;
using testing::Not;

class RepositoryStateTest : public ::testing::Test {
 protected:
  RepositoryStateTest() {
    repository_.version("m", 1);
    server_ = &repository_.serve();
  }
  TestResponse load(const std::string& name) {
    return server_->client().post("/v2/repository/models/" + name + "/load", "{}");
  }
  std::string index() { return server_->client().post("/v2/repository/index", "").body; }
  int ready() { return server_->client().get("/v2/health/ready").status; }

  TestRepository repository_;
  TestServer* server_ = nullptr;
};

TEST_F(RepositoryStateTest, AModelThatFailedIsToldAndTheServerIsNotReady) {
  EXPECT_EQ(ready(), 200);
  repository_.version("bad", 1);
  EXPECT_THAT(index(), HasSubstr(R"({"name":"bad"})")) << "nobody asked for it";
  EXPECT_EQ(ready(), 200);
  repository_.write("bad/config.pbtxt", "max_batch: 3");
  EXPECT_EQ(load("bad").status, 400);
  EXPECT_THAT(index(),
              HasSubstr(R"({"name":"bad","state":"UNAVAILABLE","reason":"config.pbtxt: )"));
  EXPECT_EQ(ready(), 400);
  EXPECT_EQ(server_->client().post("/v2/repository/models/bad/unload", "{}").status, 200);
  EXPECT_EQ(ready(), 200) << "nobody wants it any more";
  EXPECT_EQ(server_->client().post("/v2/repository/models/m/load",
                                   R"({"parameters":{"file:1/model.bin":"AAAA"}})").status, 501);
  repository_.write("m/config.pbtxt", "max_batch: 3");
  EXPECT_EQ(load("m").status, 400);
  EXPECT_THAT(index(),
              HasSubstr(R"("version":"1","state":"READY","reason":"config.pbtxt: line 1)"));
  EXPECT_EQ(ready(), 200) << "the old version serves";
}

TEST_F(RepositoryStateTest, AnOrderToLoadBringsBackWhatThePageUnloaded) {
  TestClient client = server_->client();
  EXPECT_EQ(client.post("/quire/models/m/unload", "{}").status, 202);
  server_->wait_for_metric("quire_model_ready", 0);
  EXPECT_EQ(client.get("/v2/models/m/ready").status, 400);
  EXPECT_THAT(index(), Not(HasSubstr("READY")));
  EXPECT_EQ(load("m").status, 200);
  EXPECT_EQ(client.get("/v2/models/m/ready").status, 200);
  EXPECT_THAT(index(), HasSubstr(R"("state":"READY")"));
}

TEST_F(RepositoryStateTest, WhatDoesNothingIsSaidInTheHead) {
  EXPECT_EQ(load("m").header("warning"), "");
  repository_.write("m/config.pbtxt", "metric_tags { key: 'a' value: 'b' }");
  const TestResponse loaded = load("m");
  EXPECT_EQ(loaded.status, 200);
  EXPECT_THAT(loaded.header("warning"), HasSubstr("299 quire \"line 1: 'metric_tags'"));
  TestClient client = server_->client();
  EXPECT_THAT(client.post("/quire/repository/m/load", "{}").header("warning"),
              HasSubstr("'metric_tags'"));
  const std::string told = R"("warnings":["line 1: 'metric_tags')";
  EXPECT_THAT(client.get("/quire/repository").body, HasSubstr(told));
  EXPECT_THAT(client.get("/quire/models").body, HasSubstr(told));
}

TEST_F(RepositoryStateTest, WhatAConfigSaysOfTensorsMustBeSo) {
  const auto outcome = [&](const std::string& config) {
    repository_.write("m/config.pbtxt", config);
    const TestResponse response = load("m");
    return response.status == 200 ? "" : parse_json(response.body)->find("error")->as_string();
  };
  const std::string ids = "input { name: 'input_ids' data_type: TYPE_";
  const std::string logits = "output { name: 'logits' data_type: TYPE_FP";
  EXPECT_EQ(outcome(ids + "INT32 dims: -1 }"), "");
  EXPECT_EQ(outcome(ids + "INT64 dims: [ -1, -1 ] }"), "") << "both are taken";
  EXPECT_EQ(outcome(logits + "32 dims: [ -1, -1 ] }"), "");
  EXPECT_THAT(outcome(ids + "FP32 dims: -1 }"),
              HasSubstr("'input.data_type' of 'input_ids' is TYPE_INT32 or TYPE_INT64, not "
                        "TYPE_FP32"));
  EXPECT_THAT(outcome("input { name: 'zzz' data_type: TYPE_FP32 dims: 3 }"),
              HasSubstr("'input.name': the model has no 'zzz'"));
  EXPECT_THAT(outcome(logits + "16 dims: [ -1, -1 ] }"), HasSubstr("is TYPE_FP32"));
  EXPECT_THAT(outcome(logits + "32 dims: [ -1, 7 ] }"), HasSubstr("'output.dims' of 'logits'"));
  const std::string warmup = "model_warmup { name: 'w' batch_size: 1 inputs { key: '";
  EXPECT_THAT(outcome(warmup + "NOPE' value { data_type: TYPE_FP64 dims: 1 zero_data: true } } }"),
              HasSubstr("'model_warmup.inputs.name': the model has no 'NOPE'"));
  EXPECT_EQ(ready(), 200) << "the version before serves on";
}

}  // namespace
}  // namespace quire
