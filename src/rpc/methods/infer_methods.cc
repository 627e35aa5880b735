#include "rpc/methods/infer_methods.h"

#include "proto/inference.pb.h"
#include "rpc/service_dialect.h"
#include "rpc/tensor_messages.h"
#include "serve/dialects/kserve/inference/infer_call.h"
#include "serve/dialects/kserve/inference/model_lookup.h"

namespace quire::rpc {
namespace {

Parsed<InferRequest> read_body(const DialectContext& context, const http::Request& request) {
  inference::ModelInferRequest message;
  if (!message.ParseFromString(request.body)) {
    return ApiError{.status = 400, .message = "the message is no ModelInferRequest"};
  }
  auto found = find_model(context, message.model_name(), message.model_version());
  if (!found.is_ok()) return found.error();
  return read_infer(std::move(message));
}

class WholeMessage : public InferFormat {
 public:
  void append(const InferResponse& response, bool, std::string& out) override {
    inference::ModelInferResponse message;
    write_infer(response, message);
    message.AppendToString(&out);
  }
  void append_error(const ApiError&, std::string&) override {}  // an answer is whole or refused
};

class StreamMessages : public InferFormat {
 public:
  StreamMessages(std::string id, bool has_empty_final)
      : id_(std::move(id)), has_empty_final_(has_empty_final) {}

  void append(const InferResponse& response, bool is_last, std::string& out) override {
    inference::ModelStreamInferResponse message;
    write_infer(response, *message.mutable_infer_response());
    add(message, is_last && !has_empty_final_, out);
    if (!is_last || !has_empty_final_) return;
    inference::ModelStreamInferResponse end;
    end.mutable_infer_response()->set_model_name(response.model);
    end.mutable_infer_response()->set_model_version(response.version);
    end.mutable_infer_response()->set_id(response.id);
    add(end, true, out);
  }

  void append_error(const ApiError& error, std::string& out) override {
    inference::ModelStreamInferResponse message;
    message.set_error_message(error.message);
    message.mutable_infer_response()->set_id(id_);
    append_frame(message.SerializeAsString(), out);
  }

 private:
  static void add(inference::ModelStreamInferResponse& message, bool is_final, std::string& out) {
    auto& parameters = *message.mutable_infer_response()->mutable_parameters();
    const std::string name = "triton_final_response";
    parameters[name].set_bool_param(is_final);
    append_frame(message.SerializeAsString(), out);
  }

  std::string id_;
  bool has_empty_final_;
};

}  // namespace

Parsed<Call> parse_model_infer(const DialectContext& context, const http::Request& request) {
  auto asked = read_body(context, request);
  if (!asked.is_ok()) return asked.error();
  return make_infer_call(context, std::move(*asked),
                         {.one_response = "ModelInfer RPC doesn't support models with decoupled "
                                          "transaction policy",
                          .render_error = kServiceDialect.render_error},
                         std::make_unique<WholeMessage>());
}

Parsed<Call> parse_model_stream_infer(const DialectContext& context, const http::Request& request) {
  auto asked = read_body(context, request);
  if (!asked.is_ok()) return asked.error();
  const InferParameter* wish = asked->parameters.find("triton_enable_empty_final_response");
  const bool has_empty_final = wish != nullptr && std::get_if<bool>(wish) != nullptr &&
                               std::get<bool>(*wish);
  auto format = std::make_unique<StreamMessages>(asked->id, has_empty_final);
  return make_infer_call(context, std::move(*asked),
                         {.may_stream = true, .render_error = kServiceDialect.render_error},
                         std::move(format));
}

void append_stream_error(const ApiError& error, std::string_view body, std::string& out) {
  inference::ModelInferRequest request;
  const bool is_readable = request.ParseFromArray(body.data(), static_cast<int>(body.size()));
  StreamMessages(is_readable ? request.id() : "", false).append_error(error, out);
}

}  // namespace quire::rpc
