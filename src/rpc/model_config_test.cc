// A configuration over gRPC is that of config.pbtxt, as HTTP shows it; a decoupled model is asked
// on a stream; statistics are of all versions.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "proto/inference.grpc.pb.h"
#include "rpc/grpc_door.h"
#include "serve/testing/test_repository.h"

namespace quire::rpc {
namespace {

using inference::GRPCInferenceService;

constexpr const char* kConfig = R"(
max_batch_size: 4
version_policy { all { } }
input { name: 'text_input' data_type: TYPE_STRING dims: [ 1 ] }
output { name: 'text_output' data_type: TYPE_STRING dims: [ 1 ] }
dynamic_batching { preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 7
                   priority_levels: 2 default_priority_level: 1
                   priority_queue_policy { key: 2 value { max_queue_size: 9 } } }
instance_group { count: 2 kind: KIND_CPU }
parameters { key: 'max_queue' value { string_value: '64' } }
model_transaction_policy { decoupled: true }
)";

constexpr const char* kWarm = R"(
metric_tags { key: 'a' value: 'b' }
model_warmup { name: 'w' batch_size: 1 inputs { key: 'input_ids' value {
  data_type: TYPE_INT32 dims: 3 zero_data: true } } }
)";

class ModelConfigRpcTest : public ::testing::Test {
 protected:
  void SetUp() override {
    there_.write("a/config.pbtxt", kConfig);
    there_.version("a", 1);
    there_.version("a", 3);
    there_.version("warm", 1);
    there_.write("warm/config.pbtxt", kWarm);
    const auto door = make_grpc_door(0);
    there_.serve({.side_doors = {door}});
    stub_ = GRPCInferenceService::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(door->port()), grpc::InsecureChannelCredentials()));
  }

  TestRepository there_;
  std::unique_ptr<GRPCInferenceService::Stub> stub_;
};

TEST_F(ModelConfigRpcTest, ItIsThatOfTheFile) {
  grpc::ClientContext context;
  inference::ModelConfigRequest request;
  inference::ModelConfigResponse answer;
  request.set_name("a");
  const grpc::Status status = stub_->ModelConfig(&context, request, &answer);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const inference::ModelConfig& config = answer.config();
  EXPECT_EQ(config.max_batch_size(), 4);
  EXPECT_TRUE(config.version_policy().has_all());
  ASSERT_EQ(config.input_size(), 1);
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_STRING);
  EXPECT_EQ(config.input(0).dims(0), 1);
  EXPECT_EQ(config.dynamic_batching().preferred_batch_size(0), 4);
  EXPECT_EQ(config.dynamic_batching().max_queue_delay_microseconds(), 7u);
  EXPECT_EQ(config.dynamic_batching().priority_queue_policy().at(2).max_queue_size(), 9u);
  ASSERT_EQ(config.instance_group_size(), 1);
  EXPECT_EQ(config.instance_group(0).count(), 2);
  EXPECT_EQ(config.instance_group(0).name(), "a_0");
  EXPECT_EQ(config.parameters().at("max_queue").string_value(), "64");
  EXPECT_TRUE(config.model_transaction_policy().decoupled());
}

TEST_F(ModelConfigRpcTest, ADecoupledModelIsAskedOnAStream) {
  inference::ModelInferRequest request;
  request.set_model_name("a");
  auto& input = *request.add_inputs();
  input.set_name("text_input");
  input.set_datatype("BYTES");
  input.add_shape(1);
  input.add_shape(1);
  input.mutable_contents()->add_bytes_contents("ab");
  (*request.mutable_parameters())["max_tokens"].set_int64_param(2);
  grpc::ClientContext context;
  inference::ModelInferResponse whole;
  const grpc::Status refused = stub_->ModelInfer(&context, request, &whole);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(refused.error_message(),
            "ModelInfer RPC doesn't support models with decoupled transaction policy");
  grpc::ClientContext another;
  const auto stream = stub_->ModelStreamInfer(&another);
  ASSERT_TRUE(stream->Write(request));
  inference::ModelStreamInferResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.error_message(), "");
  stream->WritesDone();
  while (stream->Read(&answer)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ModelConfigRpcTest, StatisticsAreOfAllVersions) {
  grpc::ClientContext context;
  inference::ModelStatisticsRequest request;
  inference::ModelStatisticsResponse answer;
  request.set_name("a");
  ASSERT_TRUE(stub_->ModelStatistics(&context, request, &answer).ok());
  ASSERT_EQ(answer.model_stats_size(), 2);
  EXPECT_EQ(answer.model_stats(0).version(), "1");
  EXPECT_EQ(answer.model_stats(1).version(), "3");
}

TEST_F(ModelConfigRpcTest, AWarmUpIsShownWithTheOneChoiceThatItMade) {
  grpc::ClientContext context;
  inference::ModelConfigRequest request;
  inference::ModelConfigResponse answer;
  request.set_name("warm");
  const grpc::Status status = stub_->ModelConfig(&context, request, &answer);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(answer.config().model_warmup_size(), 1);
  const auto& input = answer.config().model_warmup(0).inputs().at("input_ids");
  EXPECT_EQ(input.input_data_type_case(), inference::ModelWarmup::Input::kZeroData);
  EXPECT_EQ(input.dims(0), 3);
}

TEST_F(ModelConfigRpcTest, WhatOfALoadedConfigDoesNothingIsToldBehindTheAnswer) {
  const auto load = [&](const std::string& name) {
    grpc::ClientContext context;
    inference::RepositoryModelLoadRequest request;
    inference::RepositoryModelLoadResponse answer;
    request.set_model_name(name);
    EXPECT_TRUE(stub_->RepositoryModelLoad(&context, request, &answer).ok());
    const auto& trailing = context.GetServerTrailingMetadata();
    const auto found = trailing.find("warning");
    return found == trailing.end() ? std::string()
                                   : std::string(found->second.data(), found->second.size());
  };
  EXPECT_EQ(load("a"), "");
  EXPECT_NE(load("warm").find("299 quire \"line 2: 'metric_tags'"), std::string::npos);
}

TEST_F(ModelConfigRpcTest, TheIndexHasWhatIsThereNow) {
  there_.version("new", 1);
  grpc::ClientContext context;
  inference::RepositoryIndexResponse answer;
  ASSERT_TRUE(stub_->RepositoryIndex(&context, inference::RepositoryIndexRequest(), &answer).ok());
  ASSERT_EQ(answer.models_size(), 4);
  EXPECT_EQ(answer.models(2).name(), "new");
  EXPECT_EQ(answer.models(2).state(), "");
}

// What ends the process is said whatever the log's level is.
TEST_F(ModelConfigRpcTest, TheLastWordsOfProtobufAreSaid) {
  std::ostringstream said;
  auto& sinks = spdlog::default_logger()->sinks();
  sinks.push_back(std::make_shared<spdlog::sinks::ostream_sink_mt>(said));
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::critical);
  EXPECT_THROW(GOOGLE_LOG(FATAL) << "the end", google::protobuf::FatalException);
  GOOGLE_LOG(ERROR) << "of a client";
  spdlog::set_level(level);
  sinks.pop_back();
  EXPECT_NE(said.str().find("protobuf: \"the end\""), std::string::npos) << said.str();
  EXPECT_EQ(said.str().find("of a client"), std::string::npos);
}

}  // namespace
}  // namespace quire::rpc
