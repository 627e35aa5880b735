// The response cache over gRPC: it shares what HTTP has kept.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include "proto/inference.grpc.pb.h"
#include "rpc/grpc_door.h"
#include "serve/testing/test_repository.h"

namespace quire::rpc {
namespace {

using inference::GRPCInferenceService;

inference::ModelInferRequest question() {
  inference::ModelInferRequest request;
  request.set_model_name("a");
  request.set_id("grpc");
  auto& input = *request.add_inputs();
  input.set_name("text_input");
  input.set_datatype("BYTES");
  input.add_shape(1);
  input.add_shape(1);
  input.mutable_contents()->add_bytes_contents("ab");
  (*request.mutable_parameters())["max_tokens"].set_int64_param(4);
  (*request.mutable_parameters())["temperature"].set_double_param(0);
  return request;
}

TEST(KeptAnswerRpcTest, BothTransportsShareWhatIsKept) {
  TestRepository there;
  there.write("a/config.pbtxt", "response_cache { enable: true }");
  there.version("a", 1);
  const auto door = make_grpc_door(0);
  TestServer& server = there.serve({.response_cache_bytes = 1 << 20, .side_doors = {door}});
  const auto stub = GRPCInferenceService::NewStub(grpc::CreateChannel(
      "127.0.0.1:" + std::to_string(door->port()), grpc::InsecureChannelCredentials()));
  const TestResponse first = server.client().post(
      "/v2/models/a/infer",
      R"({"inputs":[{"name":"text_input","shape":[1,1],"datatype":"BYTES","data":["ab"]}],)"
      R"("parameters":{"max_tokens":4,"temperature":0.0}})");
  ASSERT_EQ(first.status, 200) << first.body;
  const double steps = server.metric("quire_steps_total");
  {
    grpc::ClientContext context;
    inference::ModelInferResponse answer;
    ASSERT_TRUE(stub->ModelInfer(&context, question(), &answer).ok());
    EXPECT_EQ(answer.id(), "grpc");
    EXPECT_EQ(answer.model_version(), "1");
    EXPECT_EQ(answer.raw_output_contents(0).substr(4, 2), "ab");
  }
  {
    grpc::ClientContext context;
    const auto stream = stub->ModelStreamInfer(&context);
    ASSERT_TRUE(stream->Write(question()));
    inference::ModelStreamInferResponse answer;
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_TRUE(answer.infer_response().parameters().at("triton_final_response").bool_param());
    stream->WritesDone();
    EXPECT_FALSE(stream->Read(&answer));
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_EQ(server.metric("quire_steps_total"), steps);
  grpc::ClientContext context;
  inference::ModelStatisticsRequest of_a;
  of_a.set_name("a");
  inference::ModelStatisticsResponse statistics;
  ASSERT_TRUE(stub->ModelStatistics(&context, of_a, &statistics).ok());
  const auto& inner = statistics.model_stats(0).inference_stats();
  EXPECT_EQ(inner.cache_hit().count(), 2u);
  EXPECT_GT(inner.cache_hit().ns(), 0u);
  EXPECT_EQ(inner.cache_miss().count(), 1u);
  EXPECT_EQ(inner.success().count(), 3u);
}

}  // namespace
}  // namespace quire::rpc
