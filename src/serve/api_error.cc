#include "serve/api_error.h"

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
