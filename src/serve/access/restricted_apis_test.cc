// Rules of restricted routes: what they say, what they let in, on a running server as well.
#include "serve/access/restricted_apis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/testing/test_server.h"

namespace quire {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string mistake(const std::string& rule, const std::string& more = "") {
  std::vector<std::string> rules = {rule};
  if (!more.empty()) rules.push_back(more);
  const auto made = RestrictedApis::of_http(rules);
  EXPECT_FALSE(made.is_ok()) << rule;
  return made.status().message();
}

TEST(RestrictedApisTest, MistakesAreToldWithoutTheSecret) {
  for (const char* bad : {"", "inference", "inference:", "inference:key", "inference:=sesame",
                          "inference:key=", "inference:k ey=sesame", ":key=sesame"}) {
    EXPECT_THAT(mistake(bad), Not(HasSubstr("sesame"))) << bad;
  }
  EXPECT_THAT(mistake("nothing:key=sesame"), HasSubstr("no group 'nothing'; there are health, "));
  EXPECT_THAT(mistake("health,:key=sesame"), HasSubstr("no group ''"));
  EXPECT_THAT(mistake("health,health:key=sesame"), HasSubstr("'health' is in two rules"));
  EXPECT_THAT(mistake("health:a=1", "trace,health:b=2"), HasSubstr("'health' is in two rules"));
}

TEST(RestrictedApisTest, EveryRouteIsInItsGroup) {
  const std::pair<const char*, const char*> cases[] = {
      {"/v2", "metadata"}, {"/v2/", "metadata"}, {"/v2/health/live", "health"},
      {"/v2/models/{model...}", "metadata"},
      {"/v2/models/{model...}/versions/{version}", "metadata"},
      {"/v2/models/{model...}/ready", "health"}, {"/v2/models/{model...}/infer", "inference"},
      {"/v2/models/{model...}/generate_stream", "inference"},
      {"/v2/models/{model...}/config", "model-config"}, {"/v2/models/stats", "statistics"},
      {"/v2/models/{model...}/trace/setting", "trace"}, {"/v2/trace/setting", "trace"},
      {"/quire/repository/{model}/load", "model-repository"},
      {"/quire/models/{model...}/unload", "model-repository"},
      {"/quire/models/{model...}/pin", "model-repository"},
      {"/v2/repository/index", "model-repository"}, {"/v2/logging", "logging"},
      {"/v2/cudasharedmemory/region/{region}/register", "shared-memory"},
      {"/inference.GRPCInferenceService/ModelInfer", "inference"},
      {"/inference.GRPCInferenceService/ModelStreamInfer", "inference"},
      {"/inference.GRPCInferenceService/ServerLive", "health"},
      {"/inference.GRPCInferenceService/ModelReady", "health"},
      {"/inference.GRPCInferenceService/ModelMetadata", "metadata"},
      {"/inference.GRPCInferenceService/ModelConfig", "model-config"},
      {"/inference.GRPCInferenceService/ModelStatistics", "statistics"},
      {"/inference.GRPCInferenceService/RepositoryModelLoad", "model-repository"},
      {"/inference.GRPCInferenceService/SystemSharedMemoryStatus", "shared-memory"},
      {"/inference.GRPCInferenceService/TraceSetting", "trace"},
      {"/inference.GRPCInferenceService/LogSettings", "logging"},
      {"/grpc.health.v1.Health/Check", "health"}};
  for (const auto& [pattern, group] : cases) {
    const auto made = RestrictedApis::of_grpc({std::string(group) + ":Key=a=b"});
    ASSERT_TRUE(made.is_ok()) << group;
    http::Request head;
    EXPECT_EQ(made->refusal(pattern, head),
              "This protocol is restricted, expecting header 'triton-grpc-protocol-key'")
        << pattern;
    head.headers = {{"triton-grpc-protocol-key", "a=b"}};
    EXPECT_EQ(made->refusal(pattern, head), "") << pattern;
    head.headers = {{"triton-grpc-protocol-key", "a=c"}};
    EXPECT_NE(made->refusal(pattern, head), "") << pattern;
    head.headers = {{"triton-grpc-protocol-key", "a=ba=b"}};
    EXPECT_NE(made->refusal(pattern, head), "") << pattern;
  }
  const auto made = RestrictedApis::of_http({"inference:key=v"});
  EXPECT_EQ(made->refusal("/v1/chat/completions", {}), "") << "another protocol's";
  EXPECT_EQ(made->refusal("/v2/models/stats", {}), "");
}

TEST(RestrictedApisTest, AServerAsksForTheHeader) {
  TestServer server({.restricted_apis = {"model-repository,logging:admin-key=sesame",
                                         "inference:infer-key=open"}});
  const TestResponse refused = server.client().post("/v2/repository/index", "{}");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body, R"({"error":"This API is restricted, expecting header 'admin-key'"})");
  TestClient client = server.client();
  EXPECT_EQ(client.post("/v2/repository/index", "{}", "Admin-Key: sesame\r\n").status, 200);
  EXPECT_EQ(client.get("/v2/models/m").status, 200);
  EXPECT_EQ(client.get("/v2/logging").status, 403);
  const char* body = R"({"text_input":"a","max_tokens":1})";
  EXPECT_EQ(server.client().post("/v2/models/m/generate", body).status, 403);
  EXPECT_EQ(server.client().post("/v2/models/m/generate", body, "admin-key: sesame\r\n").status,
            403);
  EXPECT_EQ(server.client().post("/v2/models/m/generate", body, "infer-key: open\r\n").status, 200);
}

}  // namespace
}  // namespace quire
