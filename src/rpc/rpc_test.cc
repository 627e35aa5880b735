// The gRPC service over a real channel to a server with a scripted model: every method, typed and
// raw tensors, streams, what each mistake is told, keys, TLS, deadlines, cancellation, draining,
// and noise.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "engine/testing/script_executor.h"
#include "proto/health.grpc.pb.h"
#include "proto/inference.grpc.pb.h"
#include "rpc/grpc_door.h"
#include "serve/testing/test_certificate.h"
#include "serve/testing/test_server.h"

namespace quire::rpc {
namespace {

using ::testing::HasSubstr;
using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;

class RpcTest : public ::testing::Test {
 protected:
  void start(ServerOptions options = {}, TestModelOptions model = {}) {
    door_ = make_grpc_door(0);
    options.side_doors = {door_};
    server_ = std::make_unique<TestServer>(std::move(options), std::move(model));
    connect(grpc::InsecureChannelCredentials());
  }

  void connect(const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetSslTargetNameOverride("localhost");
    channel_ = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(door_->port()), credentials,
                                         arguments);
    stub_ = GRPCInferenceService::NewStub(channel_);
  }

  grpc::Status infer(const ModelInferRequest& request, ModelInferResponse& response) {
    grpc::ClientContext context;
    return stub_->ModelInfer(&context, request, &response);
  }

  std::string refuse(const ModelInferRequest& request,
                     grpc::StatusCode code = grpc::StatusCode::INVALID_ARGUMENT) {
    ModelInferResponse response;
    const grpc::Status status = infer(request, response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    return status.error_message();
  }

  std::shared_ptr<SideDoor> door_;
  std::unique_ptr<TestServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<GRPCInferenceService::Stub> stub_;
};

// "text", to be continued by so many tokens.
ModelInferRequest ask_text(const std::string& text, int tokens = 4) {
  ModelInferRequest request;
  request.set_model_name("m");
  auto& input = *request.add_inputs();
  input.set_name("text_input");
  input.set_datatype("BYTES");
  input.add_shape(1);
  input.add_shape(1);
  input.mutable_contents()->add_bytes_contents(text);
  (*request.mutable_parameters())["max_tokens"].set_int64_param(tokens);
  (*request.mutable_parameters())["seed"].set_int64_param(3);
  return request;
}

ModelInferRequest ask_stream(const std::string& text, int tokens) {
  ModelInferRequest request = ask_text(text, tokens);
  (*request.mutable_parameters())["stream"].set_bool_param(true);
  return request;
}

std::string first_text(const ModelInferResponse& response) {
  const std::string& raw = response.raw_output_contents(0);
  return raw.size() < 4 ? "" : raw.substr(4);
}

TEST_F(RpcTest, AFullQueueAndAPassedTimeoutAreUnavailable) {
  DynamicBatching batching{.levels = 2, .default_level = 2};
  batching.delay_us_max = 3'600'000'000;
  batching.queue_of[1].timeout_us = 1000;
  batching.queue.size_max = 1;
  start({}, {.batching = batching});
  ModelInferRequest hasty = ask_text("ab");
  (*hasty.mutable_parameters())["priority"].set_uint64_param(1);
  EXPECT_EQ(refuse(hasty, grpc::StatusCode::UNAVAILABLE), "Request timeout expired");
  TestClient waiting = server_->client();
  waiting.send(post_bytes("/v2/models/m/generate", R"({"text_input":"a","max_tokens":1})"));
  server_->wait_for_metric("quire_requests_waiting", 1);
  EXPECT_EQ(refuse(ask_text("ab"), grpc::StatusCode::UNAVAILABLE), "Exceeds maximum queue size");
}

TEST_F(RpcTest, ServerAndModelsTellWhatTheyAre) {
  start();
  {
    grpc::ClientContext context;
    inference::ServerLiveResponse live;
    ASSERT_TRUE(stub_->ServerLive(&context, {}, &live).ok());
    EXPECT_TRUE(live.live());
  }
  {
    grpc::ClientContext context;
    inference::ServerReadyResponse ready;
    ASSERT_TRUE(stub_->ServerReady(&context, {}, &ready).ok());
    EXPECT_TRUE(ready.ready());
  }
  {
    grpc::ClientContext context;
    inference::ServerMetadataResponse server;
    ASSERT_TRUE(stub_->ServerMetadata(&context, {}, &server).ok());
    EXPECT_EQ(server.name(), "quire");
    EXPECT_GT(server.extensions_size(), 3);
  }
  inference::ModelReadyRequest of_m;
  of_m.set_name("m");
  {
    grpc::ClientContext context;
    inference::ModelReadyResponse ready;
    ASSERT_TRUE(stub_->ModelReady(&context, of_m, &ready).ok());
    EXPECT_TRUE(ready.ready());
    grpc::ClientContext again;
    of_m.set_version("9");
    ASSERT_TRUE(stub_->ModelReady(&again, of_m, &ready).ok());
    EXPECT_FALSE(ready.ready());
  }
  {
    grpc::ClientContext context;
    inference::ModelMetadataRequest request;
    request.set_name("m");
    inference::ModelMetadataResponse model;
    ASSERT_TRUE(stub_->ModelMetadata(&context, request, &model).ok());
    EXPECT_EQ(model.inputs(0).name(), "text_input");
    EXPECT_EQ(model.versions(0), "1");
  }
  {
    grpc::ClientContext context;
    inference::ModelConfigRequest request;
    request.set_name("m");
    inference::ModelConfigResponse model;
    ASSERT_TRUE(stub_->ModelConfig(&context, request, &model).ok());
    EXPECT_EQ(model.config().max_batch_size(), 64);
    EXPECT_EQ(model.config().input(0).data_type(), inference::TYPE_STRING);
    ASSERT_EQ(model.config().instance_group_size(), 1);
    EXPECT_EQ(model.config().instance_group(0).name(), "m");
    EXPECT_EQ(model.config().instance_group(0).count(), 1);
    EXPECT_EQ(model.config().instance_group(0).kind(), inference::ModelInstanceGroup::KIND_CPU);
  }
  {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckResponse health;
    const auto stub = grpc::health::v1::Health::NewStub(channel_);
    ASSERT_TRUE(stub->Check(&context, {}, &health).ok());
    EXPECT_EQ(health.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  }
}

TEST_F(RpcTest, AnUnloadSaysWhatHasNoEffectAndRefusesWhatIsNotKnown) {
  start();
  inference::RepositoryModelUnloadRequest request;
  inference::RepositoryModelUnloadResponse done;
  request.set_model_name("m");
  for (const bool wish : {true, false}) {
    grpc::ClientContext another;
    (*request.mutable_parameters())["unload_dependents"].set_bool_param(wish);
    ASSERT_TRUE(stub_->RepositoryModelUnload(&another, request, &done).ok());
    const auto warning = another.GetServerTrailingMetadata().find("warning");
    ASSERT_EQ(warning != another.GetServerTrailingMetadata().end(), wish);
    if (wish) {
      EXPECT_THAT(std::string(warning->second.data(), warning->second.size()),
                  HasSubstr("unload_dependents has no effect"));
    }
  }
  for (const char* name : {"unload_dependents", "unknown", "file:1/model.gguf"}) {
    grpc::ClientContext another;
    request.mutable_parameters()->clear();
    (*request.mutable_parameters())[name].set_int64_param(1);
    const grpc::Status refused = stub_->RepositoryModelUnload(&another, request, &done);
    EXPECT_FALSE(refused.ok());
    EXPECT_THAT(refused.error_message(), HasSubstr(name));
  }
}

TEST_F(RpcTest, RepositoryStatisticsAndSettings) {
  start();
  {
    grpc::ClientContext context;
    inference::RepositoryIndexResponse index;
    ASSERT_TRUE(stub_->RepositoryIndex(&context, {}, &index).ok());
    ASSERT_EQ(index.models_size(), 1);
    EXPECT_EQ(index.models(0).state(), "READY");
  }
  ModelInferResponse response;
  ASSERT_TRUE(infer(ask_text("ab"), response).ok());
  {
    grpc::ClientContext context;
    inference::ModelStatisticsResponse statistics;
    ASSERT_TRUE(stub_->ModelStatistics(&context, {}, &statistics).ok());
    EXPECT_EQ(statistics.model_stats(0).inference_stats().success().count(), 1u);
  }
  {
    grpc::ClientContext context;
    inference::RepositoryModelUnloadRequest request;
    request.set_model_name("m");
    inference::RepositoryModelUnloadResponse done;
    ASSERT_TRUE(stub_->RepositoryModelUnload(&context, request, &done).ok());
    server_->wait_for_metric("quire_model_ready", 0);
  }
  {
    grpc::ClientContext context;
    inference::RepositoryModelLoadRequest request;
    request.set_model_name("m");
    inference::RepositoryModelLoadResponse done;
    ASSERT_TRUE(stub_->RepositoryModelLoad(&context, request, &done).ok());
    server_->wait_for_metric("quire_model_ready", 1);
  }
  {
    grpc::ClientContext context;
    inference::TraceSettingResponse settings;
    ASSERT_TRUE(stub_->TraceSetting(&context, {}, &settings).ok());
    EXPECT_EQ(settings.settings().at("trace_level").value(0), "OFF");
  }
  {
    grpc::ClientContext context;
    inference::LogSettingsRequest request;
    (*request.mutable_settings())["log_verbose_level"].set_uint32_param(2);
    inference::LogSettingsResponse settings;
    EXPECT_EQ(stub_->LogSettings(&context, request, &settings).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
  }
  {
    grpc::ClientContext context;
    inference::SharedMemoryStatusResponse regions;
    EXPECT_EQ(stub_->SystemSharedMemoryRegister(&context, {}, &regions).error_code(),
              grpc::StatusCode::UNIMPLEMENTED);
    grpc::ClientContext again;
    EXPECT_TRUE(stub_->CudaSharedMemoryStatus(&again, {}, &regions).ok());
    grpc::ClientContext third;
    inference::SharedMemoryRequest region;
    region.set_name("none");
    EXPECT_EQ(stub_->SystemSharedMemoryStatus(&third, region, &regions).error_code(),
              grpc::StatusCode::NOT_FOUND);
  }
}

TEST_F(RpcTest, TypedAndRawContentsAreTheSame) {
  start();
  ModelInferRequest typed = ask_text("ab");
  typed.set_id("42");
  ModelInferResponse first, second;
  ASSERT_TRUE(infer(typed, first).ok());
  EXPECT_EQ(first.id(), "42");
  EXPECT_EQ(first.model_version(), "1");
  EXPECT_THAT(first_text(first), ::testing::StartsWith("ab"));
  ModelInferRequest raw = typed;
  raw.mutable_inputs(0)->clear_contents();
  raw.add_raw_input_contents(std::string("\x02\0\0\0ab", 6));
  ASSERT_TRUE(infer(raw, second).ok());
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
}

TEST_F(RpcTest, LogitsAreThoseOfTheEngine) {
  start();
  const std::vector<std::int32_t> ids = {5, 9, 200, 9, 17};
  ModelInferRequest request;
  request.set_model_name("m");
  auto& input = *request.add_inputs();
  input.set_name("input_ids");
  input.set_datatype("INT32");
  input.add_shape(1);
  input.add_shape(5);
  for (const std::int32_t id : ids) input.mutable_contents()->add_int_contents(id);
  ModelInferResponse response;
  const grpc::Status status = infer(request, response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  Capacity capacity = script_capacity(512, 32);
  capacity.vocab = kTestVocab;
  ScriptOracle oracle(capacity);
  std::string expected;
  for (const std::int32_t id : ids) {
    oracle.push(id);
    const std::vector<float> row = oracle.raw_logits();
    expected.append(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float));
  }
  EXPECT_TRUE(response.raw_output_contents(0) == expected);
  EXPECT_EQ(response.outputs(0).shape(2), kTestVocab);
}

TEST_F(RpcTest, MistakesAreToldByName) {
  start();
  ModelInferRequest request = ask_text("a");
  request.set_model_name("x");
  EXPECT_EQ(refuse(request), "Request for unknown model: 'x' is not found");
  request = ask_text("a");
  request.set_model_version("7");
  EXPECT_THAT(refuse(request, grpc::StatusCode::NOT_FOUND), HasSubstr("version 7 is not found"));
  request = ask_text("a");
  request.mutable_inputs(0)->set_name("x");
  EXPECT_THAT(refuse(request), HasSubstr("unexpected inference input 'x'"));
  request = ask_text("a");
  request.mutable_inputs(0)->set_datatype("INT32");
  EXPECT_THAT(refuse(request), HasSubstr("another datatype"));
  request = ask_text("a");
  request.mutable_inputs(0)->set_shape(1, 2);
  EXPECT_THAT(refuse(request), HasSubstr("unexpected shape"));
  request = ask_text("a");
  request.mutable_inputs(0)->set_shape(0, 3);
  EXPECT_THAT(refuse(request), HasSubstr("expected 3 string elements"));
  request = ask_text("a");
  request.add_raw_input_contents("abc");
  EXPECT_THAT(refuse(request), HasSubstr("must not be specified when using raw_input_contents"));
  request.add_raw_input_contents("abc");
  EXPECT_THAT(refuse(request), HasSubstr("for all inputs or for none"));
  request = ask_text("a");
  request.clear_inputs();
  EXPECT_THAT(refuse(request), HasSubstr("expected input 'text_input' or 'input_ids'"));
  request = ask_text("a");
  request.add_outputs()->set_name("x");
  EXPECT_THAT(refuse(request), HasSubstr("unexpected inference output 'x'"));
  request = ask_text("a");
  (*request.mutable_parameters())["sequence_id"].set_int64_param(4);
  EXPECT_THAT(refuse(request), HasSubstr("'sequence_id'"));
  request = ask_text("a");
  (*request.mutable_outputs()->Add()->mutable_parameters())["classification"].set_int64_param(3);
  EXPECT_THAT(refuse(request, grpc::StatusCode::UNIMPLEMENTED), HasSubstr("'classification'"));
  request = ask_stream("a", 4);
  EXPECT_THAT(refuse(request, grpc::StatusCode::UNIMPLEMENTED), HasSubstr("decoupled"));
  request = ModelInferRequest();
  request.set_model_name("zz");
  request.add_inputs()->set_datatype("NONE");
  EXPECT_THAT(refuse(request), HasSubstr("unknown model: 'zz'")) << "before its tensors";
}

TEST_F(RpcTest, AStreamAnswersManyRequestsInPieces) {
  start();
  ModelInferResponse whole;
  ModelInferRequest one = ask_text("ab", 6);
  (*one.mutable_parameters())["exclude_input_in_output"].set_bool_param(true);
  ASSERT_TRUE(infer(one, whole).ok());
  grpc::ClientContext context;
  const auto stream = stub_->ModelStreamInfer(&context);
  constexpr int kRequests = 5;
  for (int i = 0; i < kRequests; ++i) {
    ModelInferRequest request = ask_stream("ab", 6);
    request.set_id(std::to_string(i));
    ASSERT_TRUE(stream->Write(request));
  }
  ModelInferRequest bad = ask_text("a");
  bad.set_id("bad");
  bad.set_model_name("x");
  ASSERT_TRUE(stream->Write(bad));
  stream->WritesDone();
  std::map<std::string, std::string> texts;
  std::map<std::string, int> finals;
  std::string fault;
  ModelStreamInferResponse response;
  while (stream->Read(&response)) {
    const ModelInferResponse& piece = response.infer_response();
    if (!response.error_message().empty()) {
      fault = response.error_message();
      EXPECT_EQ(piece.id(), "bad");
      continue;
    }
    texts[piece.id()] += first_text(piece);
    finals[piece.id()] += piece.parameters().at("triton_final_response").bool_param();
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(fault, "Request for unknown model: 'x' is not found");
  ASSERT_EQ(texts.size(), std::size_t{kRequests});
  for (const auto& [id, text] : texts) {
    EXPECT_EQ(text, first_text(whole)) << id;
    EXPECT_EQ(finals[id], 1) << id;
  }
}

TEST_F(RpcTest, AnEmptyFinalResponseIsSentToWhoAsks) {
  start();
  grpc::ClientContext context;
  const auto stream = stub_->ModelStreamInfer(&context);
  ModelInferRequest request = ask_stream("ab", 3);
  (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
  ASSERT_TRUE(stream->Write(request));
  stream->WritesDone();
  ModelStreamInferResponse response, last;
  while (stream->Read(&response)) last = response;
  EXPECT_EQ(last.infer_response().outputs_size(), 0);
  EXPECT_TRUE(last.infer_response().parameters().at("triton_final_response").bool_param());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RpcTest, ErrorsEndAStreamThatAsksForIt) {
  start();
  grpc::ClientContext context;
  context.AddMetadata("triton_grpc_error", "true");
  const auto stream = stub_->ModelStreamInfer(&context);
  ModelInferRequest bad = ask_text("a");
  bad.set_model_name("x");
  ASSERT_TRUE(stream->Write(bad));
  ModelStreamInferResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(RpcTest, ADeadlineAndACancellationEndTheWork) {
  start();
  server_->gate().close();
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
    ModelInferResponse response;
    EXPECT_EQ(stub_->ModelInfer(&context, ask_text("a"), &response).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  server_->wait_for_metric("quire_clients_left_total", 1);
  {
    grpc::ClientContext context;
    const auto stream = stub_->ModelStreamInfer(&context);
    ASSERT_TRUE(stream->Write(ask_stream("ab", 100)));
    server_->gate().let_pass(30);
    ModelStreamInferResponse response;
    ASSERT_TRUE(stream->Read(&response));
    context.TryCancel();
    while (stream->Read(&response)) continue;
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  server_->wait_for_metric("quire_clients_left_total", 2);
  server_->gate().open();
  server_->wait_for_metric("quire_requests_running", 0);
  ModelInferResponse response;
  EXPECT_TRUE(infer(ask_text("a"), response).ok());
}

TEST_F(RpcTest, KeysComeWithTheMetadata) {
  start({.api_keys = {"secret"}});
  EXPECT_THAT(refuse(ask_text("a"), grpc::StatusCode::UNAUTHENTICATED), HasSubstr("API key"));
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer secret");
  ModelInferResponse response;
  EXPECT_TRUE(stub_->ModelInfer(&context, ask_text("a"), &response).ok());
  grpc::ClientContext stranger;
  const auto stream = stub_->ModelStreamInfer(&stranger);
  stream->Write(ask_stream("a", 3));
  ModelStreamInferResponse piece;
  EXPECT_FALSE(stream->Read(&piece));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(RpcTest, RestrictedProtocolsAskForTheirMetadata) {
  start({.restricted_apis = {"health:nobody=asks"},
         .restricted_protocols = {"inference:infer-key=sesame"}});
  EXPECT_EQ(refuse(ask_text("a"), grpc::StatusCode::PERMISSION_DENIED),
            "This protocol is restricted, expecting header 'triton-grpc-protocol-infer-key'");
  grpc::ClientContext context;
  context.AddMetadata("triton-grpc-protocol-infer-key", "sesame");
  ModelInferResponse response;
  EXPECT_TRUE(stub_->ModelInfer(&context, ask_text("a"), &response).ok());
  grpc::ClientContext stranger;
  stranger.AddMetadata("triton-grpc-protocol-infer-key", "other");
  const auto stream = stub_->ModelStreamInfer(&stranger);
  stream->Write(ask_stream("a", 3));
  ModelStreamInferResponse piece;
  EXPECT_FALSE(stream->Read(&piece));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  grpc::ClientContext free;
  inference::ServerLiveResponse live;
  EXPECT_TRUE(stub_->ServerLive(&free, {}, &live).ok());
}

TEST_F(RpcTest, TlsWithTheServersCertificate) {
  const TestFolder folder;
  const TestCertificate made = make_test_certificate();
  start({.ssl_certfile = folder.write("cert.pem", made.certificate),
         .ssl_keyfile = folder.write("key.pem", made.key)});
  connect(grpc::SslCredentials({.pem_root_certs = made.certificate}));
  ModelInferResponse response;
  const grpc::Status status = infer(ask_text("a"), response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(RpcTest, MessagesAreBoundedAndUnknownMethodsTold) {
  ServerOptions options;
  options.http.body_max = 1000;
  start(std::move(options));
  EXPECT_THAT(refuse(ask_text(std::string(2000, 'a')), grpc::StatusCode::RESOURCE_EXHAUSTED),
              HasSubstr("larger than max"));
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const grpc::Slice slice("x");
  const grpc::ByteBuffer message(&slice, 1);
  const auto call = stub.PrepareUnaryCall(&context, "/inference.Nothing/At", message, &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(RpcTest, DrainingFinishesWhatRunsAndRefusesTheRest) {
  start();
  server_->gate().close();
  grpc::ClientContext context;
  const auto stream = stub_->ModelStreamInfer(&context);
  ModelInferRequest request = ask_stream("ab", 200);
  (*request.mutable_parameters())["min_tokens"].set_int64_param(200);  // it runs when all stops
  ASSERT_TRUE(stream->Write(request));
  server_->gate().let_pass(30);
  ModelStreamInferResponse piece;
  ASSERT_TRUE(stream->Read(&piece));
  server_->request_stop();
  ModelInferResponse response;
  grpc::Status late;
  do {  // one that came before the draining waits for the gate
    grpc::ClientContext patient;
    patient.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
    late = stub_->ModelInfer(&patient, ask_text("a"), &response);
  } while (late.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(late.error_code(), grpc::StatusCode::UNAVAILABLE);
  server_->gate().open();
  bool is_final = false;
  while (!is_final && stream->Read(&piece)) {
    is_final = piece.infer_response().parameters().at("triton_final_response").bool_param();
  }
  EXPECT_TRUE(is_final);
  EXPECT_TRUE(stream->WritesDone()) << "the stream is the client's to end";
  EXPECT_FALSE(stream->Read(&piece));
  const grpc::Status end = stream->Finish();
  EXPECT_TRUE(end.ok()) << end.error_code() << ": " << end.error_message();
  server_->join();
}

// Bytes of a good message with some of them changed, cut or doubled.
TEST_F(RpcTest, NoiseDisturbsNobody) {
  start();
  std::mt19937_64 dice(7);
  const std::string good = ask_text("ab", 1).SerializeAsString();
  grpc::GenericStub stub(channel_);
  constexpr int kTries = 400;
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < kTries; ++i) {
    std::string bytes = good;
    for (std::uint64_t k = 0; k < 1 + dice() % 4; ++k) {
      const std::size_t at = dice() % bytes.size();
      if (dice() % 4 == 0) bytes.resize(std::max<std::size_t>(at, 1));
      else bytes[at % bytes.size()] = static_cast<char>(dice());
    }
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer message(&slice, 1);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(
        &context, "/inference.GRPCInferenceService/ModelInfer", message, &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_NE(status.error_code(), grpc::StatusCode::INTERNAL) << status.error_message();
    EXPECT_NE(status.error_code(), grpc::StatusCode::UNKNOWN) << status.error_message();
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::Not(HasSubstr("libprotobuf")));
  ModelInferResponse response;
  EXPECT_TRUE(infer(ask_text("a"), response).ok());
}

}  // namespace
}  // namespace quire::rpc
