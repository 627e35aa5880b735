#include "rpc/methods/server_methods.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include "host/repository/ensemble/ensemble_graph.h"
#include "proto/health.pb.h"
#include "proto/inference.pb.h"
#include "rpc/service_dialect.h"
#include "serve/dialects/kserve/inference/model_face.h"
#include "serve/dialects/kserve/inference/model_lookup.h"
#include "serve/dialects/kserve/server_state.h"
#include "serve/answer/warning_text.h"
#include "serve/house.h"

namespace quire::rpc {
namespace {

http::Response answer(const google::protobuf::Message& message) {
  return {.content_type = "application/grpc", .body = message.SerializeAsString()};
}

http::Response refuse(const ApiError& error, const http::Request& request) {
  return kServiceDialect.render_error(error, request);
}

Parsed<Call> ready_call(const google::protobuf::Message& message) {
  Call call;
  call.ready = answer(message);
  return call;
}

template <typename Message>
Parsed<Message> read(const http::Request& request) {
  Message message;
  if (message.ParseFromString(request.body)) return message;
  return ApiError{.status = 400, .message = "the message cannot be read"};
}

void write(const TimeCount& count, inference::StatisticDuration& message) {
  message.set_count(count.count);
  message.set_ns(count.ns);
}

// What the parameters of a load or unload ask for.
template <typename Request>
Parsed<RepositoryOrder> read_order(const DialectContext& context, const http::Request& request,
                                   bool is_load) {
  auto message = read<Request>(request);
  if (!message.is_ok()) return message.error();
  if (!message->repository_name().empty()) {
    return ApiError{.status = 501,
                    .message = "'repository_name' specification is not supported"};
  }
  RepositoryOrder order{.is_load = is_load, .name = message->model_name()};
  for (const auto& [name, value] : message->parameters()) {
    const bool flag = value.bool_param();
    auto fault = read_order_parameter(name, value.has_string_param() ? &value.string_param()
                                                                     : nullptr,
                                      value.has_bool_param() ? &flag : nullptr, order);
    if (fault) return *fault;
  }
  if (order.config && !is_for_repository(*context.house, order.name)) {
    return unsupported_parameter("config", "parameter 'config' is not supported: this model is not "
                                           "from a model repository");
  }
  return order;
}

// Of a model that no repository has: its load is awaited like anybody's.
Parsed<Call> parse_load(const DialectContext& context, const http::Request& request) {
  auto order = read_order<inference::RepositoryModelLoadRequest>(context, request, true);
  if (!order.is_ok()) return order.error();
  if (!find_served(context.models, order->name)) return nothing_to_load(order->name);
  std::string version;
  auto model = lease_for_inference(context, order->name, version);
  if (!model.is_ok()) return model.error();
  return ready_call(inference::RepositoryModelLoadResponse());
}

// What makes up an ensemble goes with it; nothing else has dependents.
bool has_dependents_in_vain(const House& house, const RepositoryOrder& order) {
  if (!order.has_dependents) return false;
  if (house.repository == nullptr) return true;
  const auto config = house.repository->config(order.name);
  return config == nullptr || !is_ensemble(*config);
}

void change_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange,
                  Parsed<RepositoryOrder> order) {
  const House& house = *context.house;
  const bool has_idle_wish = order.is_ok() && has_dependents_in_vain(house, *order);
  const std::string loaded = order.is_ok() && order->is_load ? order->name : "";
  const auto end = [&house, exchange, has_idle_wish, loaded](const std::optional<ApiError>& fault) {
    if (exchange->is_gone()) return house.metrics.count_left();
    // The answers to both orders are empty.
    http::Response response = fault ? refuse(*fault, exchange->request())
                                    : answer(inference::RepositoryModelLoadResponse());
    if (has_idle_wish) {
      response.headers.push_back({std::string(kWarningHeader), "299 quire \"unload_dependents has "
                                                               "no effect: this model is no "
                                                               "ensemble\""});
    }
    const std::vector<std::string> warnings =
        fault || house.repository == nullptr ? std::vector<std::string>()
                                             : house.repository->warnings(loaded);
    if (!warnings.empty()) {
      response.headers.push_back({std::string(kWarningHeader), warning_text(warnings)});
    }
    house.metrics.count_answer(response.status);
    exchange->respond(std::move(response));
  };
  if (!order.is_ok()) return end(order.error());
  if (is_for_repository(house, order->name)) return give_order(house, std::move(*order), end);
  if (order->is_load) {
    return context.house->service.answer(exchange, kServiceDialect, parse_load, context);
  }
  end(unload_for(context, order->name));
}

}  // namespace

http::Response server_live(const DialectContext& context, const http::Request&) {
  inference::ServerLiveResponse message;
  message.set_live(is_server_live(*context.house));
  return answer(message);
}

http::Response server_ready(const DialectContext& context, const http::Request&) {
  inference::ServerReadyResponse message;
  message.set_ready(is_server_ready(*context.house));
  return answer(message);
}

http::Response model_ready(const DialectContext& context, const http::Request& request) {
  auto asked = read<inference::ModelReadyRequest>(request);
  if (!asked.is_ok()) return refuse(asked.error(), request);
  inference::ModelReadyResponse message;  // what is not there is not ready, which is no error
  message.set_ready(!find_unready(context, asked->name(), asked->version()));
  return answer(message);
}

http::Response server_metadata(const DialectContext& context, const http::Request&) {
  inference::ServerMetadataResponse message;
  message.set_name(std::string(kServerName));
  message.set_version(context.house->version);
  for (const std::string_view extension : server_extensions()) {
    message.add_extensions(std::string(extension));
  }
  return answer(message);
}

http::Response model_statistics(const DialectContext& context, const http::Request& request) {
  auto asked = read<inference::ModelStatisticsRequest>(request);
  if (!asked.is_ok()) return refuse(asked.error(), request);
  auto statistics = infer_statistics(context, asked->name(), asked->version());
  if (!statistics.is_ok()) return refuse(statistics.error(), request);
  inference::ModelStatisticsResponse message;
  for (const InferStatistics& one : *statistics) {
    inference::ModelStatistics& made = *message.add_model_stats();
    made.set_name(one.name);
    made.set_version(one.version);
    made.set_last_inference(one.last_inference_ms);
    made.set_inference_count(one.inferences);
    made.set_execution_count(one.executions);
    inference::InferStatistics& inner = *made.mutable_inference_stats();
    write(one.success, *inner.mutable_success());
    write(one.fail, *inner.mutable_fail());
    write(one.queue, *inner.mutable_queue());
    write({one.infer.count, 0}, *inner.mutable_compute_input());
    write(one.infer, *inner.mutable_compute_infer());
    write({one.infer.count, 0}, *inner.mutable_compute_output());
    write(one.cache_hit, *inner.mutable_cache_hit());
    write(one.cache_miss, *inner.mutable_cache_miss());
    for (const BatchCount& batch : one.batches) {
      auto& size = *made.add_batch_stats();
      size.set_batch_size(batch.size);
      write({batch.infer.count, 0}, *size.mutable_compute_input());
      write(batch.infer, *size.mutable_compute_infer());
      write({batch.infer.count, 0}, *size.mutable_compute_output());
    }
    if (one.bytes == 0) continue;
    made.add_memory_usage()->set_type("CPU");
    made.mutable_memory_usage(0)->set_byte_size(one.bytes);
  }
  return answer(message);
}

void load_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  auto order =
      read_order<inference::RepositoryModelLoadRequest>(context, exchange->request(), true);
  change_model(context, std::move(exchange), std::move(order));
}

void unload_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  auto order =
      read_order<inference::RepositoryModelUnloadRequest>(context, exchange->request(), false);
  change_model(context, std::move(exchange), std::move(order));
}

http::Response no_regions(const DialectContext&, const http::Request& request) {
  auto asked = read<inference::SharedMemoryRequest>(request);
  if (!asked.is_ok()) return refuse(asked.error(), request);
  if (!asked->name().empty()) return refuse(no_such_region(asked->name()), request);
  return answer(inference::SharedMemoryStatusResponse());
}

http::Response refuse_region(const DialectContext&, const http::Request& request) {
  return refuse(no_shared_memory(), request);
}

http::Response trace_setting(const DialectContext& context, const http::Request& request) {
  auto asked = read<inference::TraceSettingRequest>(request);
  if (!asked.is_ok()) return refuse(asked.error(), request);
  if (!asked->model_name().empty()) {
    auto found = find_model(context, asked->model_name(), "");
    if (!found.is_ok()) return refuse(found.error(), request);
  }
  for (const auto& [name, value] : asked->settings()) {
    const auto fault = check_trace(name, {value.value().begin(), value.value().end()});
    if (fault) return refuse(*fault, request);
  }
  inference::TraceSettingResponse message;
  for (const auto& [name, value] : trace_settings()) {
    (*message.mutable_settings())[name].add_value(value);
  }
  return answer(message);
}

http::Response log_setting(const DialectContext& context, const http::Request& request) {
  auto asked = read<inference::LogSettingsRequest>(request);
  if (!asked.is_ok()) return refuse(asked.error(), request);
  Settings changes;
  for (const auto& [name, value] : asked->settings()) {
    using Value = inference::LogSettingsRequest::SettingValue;
    switch (value.parameter_choice_case()) {
      case Value::kBoolParam: changes.emplace_back(name, value.bool_param()); break;
      case Value::kUint32Param:
        changes.emplace_back(name, static_cast<std::uint64_t>(value.uint32_param()));
        break;
      case Value::kStringParam: changes.emplace_back(name, value.string_param()); break;
      case Value::PARAMETER_CHOICE_NOT_SET: break;
    }
  }
  if (const auto fault = change_log(changes, context.is_operable)) return refuse(*fault, request);
  inference::LogSettingsResponse message;
  for (const auto& [name, value] : log_settings()) {
    auto& setting = (*message.mutable_settings())[name];
    if (const auto* flag = std::get_if<bool>(&value)) setting.set_bool_param(*flag);
    if (const auto* text = std::get_if<std::string>(&value)) setting.set_string_param(*text);
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      setting.set_uint32_param(static_cast<std::uint32_t>(*number));
    }
  }
  return answer(message);
}

http::Response check_health(const DialectContext& context, const http::Request& request) {
  auto asked = read<grpc::health::v1::HealthCheckRequest>(request);
  if (!asked.is_ok()) return refuse(asked.error(), request);
  const std::string& service = asked->service();
  if (!service.empty() && service != "inference.GRPCInferenceService") {
    return refuse({.status = 404, .message = "no such service here"}, request);
  }
  grpc::health::v1::HealthCheckResponse message;
  message.set_status(is_server_ready(*context.house)
                         ? grpc::health::v1::HealthCheckResponse::SERVING
                         : grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  return answer(message);
}

Parsed<Call> parse_model_metadata(const DialectContext& context, const http::Request& request) {
  auto asked = read<inference::ModelMetadataRequest>(request);
  if (!asked.is_ok()) return asked.error();
  auto face = find_face(context, asked->name(), asked->version());
  if (!face.is_ok()) return face.error();
  inference::ModelMetadataResponse message;
  message.set_name(face->name);
  for (const std::string& version : face->versions) message.add_versions(version);
  message.set_platform(face->platform);
  const bool has_batch = face->batch_max > 0;
  const auto write_tensor = [has_batch](const TensorFace& tensor, auto& made) {
    made.set_name(std::string(tensor.name));
    made.set_datatype(std::string(tensor_type_info(tensor.type).name));
    for (const std::int64_t dim : shape_of(tensor, has_batch)) made.add_shape(dim);
  };
  for (const TensorFace& tensor : face->inputs) write_tensor(tensor, *message.add_inputs());
  for (const TensorFace& tensor : face->outputs) write_tensor(tensor, *message.add_outputs());
  return ready_call(message);
}

Parsed<Call> parse_repository_index(const DialectContext& context, const http::Request& request) {
  auto asked = read<inference::RepositoryIndexRequest>(request);
  if (!asked.is_ok()) return asked.error();
  if (!asked->repository_name().empty()) {
    return ApiError{.status = 501,
                    .message = "'repository_name' specification is not supported"};
  }
  inference::RepositoryIndexResponse message;
  for (const RepositoryEntry& entry : repository_index(*context.house, asked->ready())) {
    auto& model = *message.add_models();
    model.set_name(entry.name);
    model.set_version(entry.version);
    model.set_state(entry.state);
    model.set_reason(entry.reason);
  }
  return ready_call(message);
}

Parsed<Call> parse_model_config(const DialectContext& context, const http::Request& request) {
  auto asked = read<inference::ModelConfigRequest>(request);
  if (!asked.is_ok()) return asked.error();
  auto face = find_face(context, asked->name(), asked->version());
  if (!face.is_ok()) return face.error();
  inference::ModelConfigResponse message;
  // Its JSON form is that of HTTP, by the same names; protobuf reads it.
  const std::string json = dump(config_of(*context.house, *face));
  google::protobuf::util::JsonParseOptions terms;
  terms.ignore_unknown_fields = true;  // those that every configuration has and none uses
  const auto status = google::protobuf::util::JsonStringToMessage(json, message.mutable_config(),
                                                                  terms);
  if (!status.ok()) {
    return ApiError{.status = 500,
                    .message = fmt::format("the configuration cannot be written: {}",
                                           std::string(status.message())),
                    .type = "server_error"};
  }
  return ready_call(message);
}

}  // namespace quire::rpc
