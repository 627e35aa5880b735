#include "serve/intake/api_error.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace quire {
namespace {

constexpr int kRetryAfterSeconds = 1;  // a queue that is full moves within a step or two

}  // namespace

ApiError invalid_value(std::string param, std::string message) {
  return {.message = std::move(message), .param = std::move(param), .code = "invalid_value"};
}

ApiError unsupported_parameter(std::string param, std::string message) {
  return {.message = std::move(message),
          .param = std::move(param),
          .code = "unsupported_parameter"};
}

ApiError model_unavailable(const Status& status, int retry_after_s) {
  return {.status = 503,
          .message = status.message() + ".",
          .type = "service_unavailable_error",
          .param = "model",
          .code = status.code() == StatusCode::kInternal ? "model_load_failed" : "model_not_loaded",
          .retry_after_s = retry_after_s};
}

int whole_seconds(Nanos time) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
  return static_cast<int>(std::clamp<std::int64_t>(seconds, 1, 3600));
}

ApiError from_engine(const Status& status, const std::string& param) {
  switch (status.code()) {
    case StatusCode::kResourceExhausted:
      return {.status = 429,
              .message = status.message(),
              .type = "rate_limit_error",
              .code = "rate_limit_exceeded",
              .retry_after_s = kRetryAfterSeconds};
    case StatusCode::kUnavailable:
      return {.status = 503,
              .message = status.message(),
              .type = "service_unavailable_error",
              .code = "server_draining",
              .retry_after_s = kRetryAfterSeconds};
    case StatusCode::kInvalidArgument:
      return invalid_value(param, status.message());
    default:
      return {.status = 500, .message = status.message(), .type = "server_error"};
  }
}

}  // namespace quire
