// An ensemble over gRPC: the same bytes as over HTTP, errors with the step, and its metadata.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include "proto/inference.grpc.pb.h"
#include "rpc/grpc_door.h"
#include "serve/testing/test_ensemble.h"
#include "serve/testing/test_repository.h"

namespace quire::rpc {
namespace {

using ::testing::HasSubstr;
using inference::GRPCInferenceService;

inference::ModelInferRequest question(const std::string& text) {
  inference::ModelInferRequest request;
  request.set_model_name("e");
  request.set_id("7");
  auto& input = *request.add_inputs();
  input.set_name("IN");
  input.set_datatype("BYTES");
  input.add_shape(1);
  input.add_shape(1);
  input.mutable_contents()->add_bytes_contents(text);
  (*request.mutable_parameters())["max_tokens"].set_int64_param(4);
  (*request.mutable_parameters())["seed"].set_int64_param(5);
  return request;
}

TEST(EnsembleRpcTest, AnswersAsOverHttp) {
  TestRepository there;
  there.version("a", 1);
  there.write("e/1/README", "x");
  there.write("e/config.pbtxt",
              test_ensemble(test_text_ends(), test_step("a", "text_input=IN", "text_output=OUT")));
  const auto door = make_grpc_door(0);
  TestServer& server = there.serve({.side_doors = {door}});
  const auto stub = GRPCInferenceService::NewStub(grpc::CreateChannel(
      "127.0.0.1:" + std::to_string(door->port()), grpc::InsecureChannelCredentials()));
  const TestResponse http = server.client().post(
      "/v2/models/e/infer",
      R"({"inputs":[{"name":"IN","shape":[1,1],"datatype":"BYTES","data":["ab"]}],)"
      R"("parameters":{"max_tokens":4,"seed":5,"binary_data_output":true}})");
  ASSERT_EQ(http.status, 200) << http.body;
  const std::string bytes =
      http.body.substr(std::stoul(http.header("inference-header-content-length")));
  {
    grpc::ClientContext context;
    inference::ModelInferResponse answer;
    ASSERT_TRUE(stub->ModelInfer(&context, question("ab"), &answer).ok());
    EXPECT_EQ(answer.model_name(), "e");
    EXPECT_EQ(answer.model_version(), "1");
    EXPECT_EQ(answer.id(), "7");
    EXPECT_EQ(answer.outputs(0).name(), "OUT");
    EXPECT_EQ(answer.raw_output_contents(0), bytes);
  }
  {
    grpc::ClientContext context;
    inference::ModelInferResponse answer;
    const grpc::Status refused = stub->ModelInfer(&context, question(""), &answer);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(refused.error_message(), HasSubstr("in ensemble 'e', step 0 (model 'a'): "));
  }
  {
    grpc::ClientContext context;
    inference::ModelStatisticsRequest request;
    request.set_name("e");
    inference::ModelStatisticsResponse answer;
    ASSERT_TRUE(stub->ModelStatistics(&context, request, &answer).ok());
    const inference::InferStatistics& told = answer.model_stats(0).inference_stats();
    EXPECT_EQ(told.success().count(), 2u);
    EXPECT_EQ(told.fail().count(), 1u);
    EXPECT_EQ(told.queue().count(), 2u);
    EXPECT_GT(told.compute_infer().ns(), 0u) << "of its step";
    EXPECT_LE(told.compute_infer().ns(), told.success().ns());
  }
  {
    grpc::ClientContext context;
    const auto stream = stub->ModelStreamInfer(&context);
    inference::ModelStreamInferResponse answer;
    ASSERT_TRUE(stream->Write(question("ab")));
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.infer_response().raw_output_contents(0), bytes);
    EXPECT_TRUE(answer.infer_response().parameters().at("triton_final_response").bool_param());
    ASSERT_TRUE(stream->Write(question("")));
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_THAT(answer.error_message(), HasSubstr("in ensemble 'e'"));
    stream->WritesDone();
    EXPECT_FALSE(stream->Read(&answer));
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST(EnsembleRpcTest, IsShownAsItsConfigSays) {
  TestRepository there;
  there.version("a", 1);
  there.write("e/1/README", "x");
  there.write("e/config.pbtxt",
              test_ensemble(test_text_ends(), test_step("a", "text_input=IN", "text_output=OUT")));
  const auto door = make_grpc_door(0);
  there.serve({.side_doors = {door}});
  const auto stub = GRPCInferenceService::NewStub(grpc::CreateChannel(
      "127.0.0.1:" + std::to_string(door->port()), grpc::InsecureChannelCredentials()));
  {
    grpc::ClientContext context;
    inference::ModelMetadataRequest request;
    inference::ModelMetadataResponse answer;
    request.set_name("e");
    ASSERT_TRUE(stub->ModelMetadata(&context, request, &answer).ok());
    EXPECT_EQ(answer.platform(), "ensemble");
    ASSERT_EQ(answer.inputs_size(), 1);
    EXPECT_EQ(answer.inputs(0).name(), "IN");
    EXPECT_EQ(answer.inputs(0).shape(0), -1);
    EXPECT_EQ(answer.inputs(0).shape(1), 1);
  }
  {
    grpc::ClientContext context;
    inference::ModelStatisticsRequest request;
    inference::ModelStatisticsResponse answer;
    request.set_name("e");
    ASSERT_TRUE(stub->ModelStatistics(&context, request, &answer).ok());
    ASSERT_EQ(answer.model_stats_size(), 1);
    EXPECT_EQ(answer.model_stats(0).version(), "1");
  }
  {
    grpc::ClientContext context;
    inference::ModelConfigRequest request;
    inference::ModelConfigResponse answer;
    request.set_name("e");
    ASSERT_TRUE(stub->ModelConfig(&context, request, &answer).ok());
    EXPECT_EQ(answer.config().max_batch_size(), 8);
    EXPECT_EQ(answer.config().platform(), "ensemble");
    EXPECT_EQ(answer.config().input(0).dims(0), 1);
    EXPECT_FALSE(answer.config().input(0).optional());
    ASSERT_EQ(answer.config().ensemble_scheduling().step_size(), 1);
    EXPECT_EQ(answer.config().ensemble_scheduling().step(0).model_name(), "a");
    EXPECT_EQ(answer.config().ensemble_scheduling().step(0).input_map().at("text_input"), "IN");
  }
}

}  // namespace
}  // namespace quire::rpc
