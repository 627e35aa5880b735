#include "rpc/service_dialect.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "core/batching.h"
#include "proto/inference.pb.h"
#include "rpc/methods/infer_methods.h"
#include "rpc/methods/server_methods.h"

namespace quire::rpc {
namespace {

constexpr std::string_view kStreamMethod = "/inference.GRPCInferenceService/ModelStreamInfer";

http::Response render_error(const ApiError& error, const http::Request& request) {
  const int status = error.message == kQueueFull ? 503 : error.status;  // as its users know it
  http::Response response{.status = status, .content_type = "application/grpc"};
  response.headers.push_back({std::string(kMessageHeader), error.message});
  if (is_stream_method(request.path)) append_stream_error(error, request.body, response.body);
  return response;
}

constexpr auto kOpen = Access::kOpen, kKeyed = Access::kKeyed;
constexpr auto kNone = BodyKind::kNone, kLoose = BodyKind::kLooseJson;

#define QUIRE_METHOD(name) "/inference.GRPCInferenceService/" name
constexpr Route kRoutes[] = {
    {"POST", QUIRE_METHOD("ServerLive"), kNone, kOpen, {.quick = server_live}},
    {"POST", QUIRE_METHOD("ServerReady"), kNone, kOpen, {.quick = server_ready}},
    {"POST", QUIRE_METHOD("ModelReady"), kNone, kOpen, {.quick = model_ready}},
    {"POST", QUIRE_METHOD("ServerMetadata"), kNone, kKeyed, {.quick = server_metadata}},
    {"POST", QUIRE_METHOD("ModelMetadata"), kNone, kKeyed, {.parse = parse_model_metadata}},
    {"POST", QUIRE_METHOD("ModelConfig"), kNone, kKeyed, {.parse = parse_model_config}},
    {"POST", QUIRE_METHOD("ModelInfer"), kLoose, kKeyed, {.parse = parse_model_infer}},
    {"POST", QUIRE_METHOD("ModelStreamInfer"), kLoose, kKeyed, {.parse = parse_model_stream_infer}},
    {"POST", QUIRE_METHOD("ModelStatistics"), kNone, kKeyed, {.quick = model_statistics}},
    {"POST", QUIRE_METHOD("RepositoryIndex"), kNone, kKeyed, {.parse = parse_repository_index}},
    {"POST", QUIRE_METHOD("RepositoryModelLoad"), kLoose, kKeyed, {.late = load_model}},
    {"POST", QUIRE_METHOD("RepositoryModelUnload"), kLoose, kKeyed, {.late = unload_model}},
    {"POST", QUIRE_METHOD("SystemSharedMemoryStatus"), kNone, kKeyed, {.quick = no_regions}},
    {"POST", QUIRE_METHOD("SystemSharedMemoryRegister"), kNone, kKeyed, {.quick = refuse_region}},
    {"POST", QUIRE_METHOD("SystemSharedMemoryUnregister"), kNone, kKeyed, {.quick = refuse_region}},
    {"POST", QUIRE_METHOD("CudaSharedMemoryStatus"), kNone, kKeyed, {.quick = no_regions}},
    {"POST", QUIRE_METHOD("CudaSharedMemoryRegister"), kNone, kKeyed, {.quick = refuse_region}},
    {"POST", QUIRE_METHOD("CudaSharedMemoryUnregister"), kNone, kKeyed, {.quick = refuse_region}},
    {"POST", QUIRE_METHOD("TraceSetting"), kNone, kKeyed, {.quick = trace_setting}},
    {"POST", QUIRE_METHOD("LogSettings"), kNone, kKeyed, {.quick = log_setting}},
    {"POST", "/grpc.health.v1.Health/Check", kNone, kOpen, {.quick = check_health}},
};
#undef QUIRE_METHOD

}  // namespace

const Dialect kServiceDialect = {.name = "grpc",
                                 .routes = kRoutes,
                                 .error_prefix = "/",
                                 .render_error = render_error};

bool has_method(std::string_view path) {
  return std::any_of(std::begin(kRoutes), std::end(kRoutes),
                     [&](const Route& route) { return route.pattern == path; });
}

bool is_stream_method(std::string_view path) { return path == kStreamMethod; }

void append_frame(std::string_view message, std::string& out) {
  const auto size = static_cast<std::uint32_t>(message.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out += message;
}

bool take_frame(std::string& frames, std::string& message) {
  std::uint32_t size = 0;
  if (frames.size() < sizeof size) return false;
  std::memcpy(&size, frames.data(), sizeof size);
  if (frames.size() - sizeof size < size) return false;
  message.assign(frames, sizeof size, size);
  frames.erase(0, sizeof size + size);
  return true;
}

}  // namespace quire::rpc
