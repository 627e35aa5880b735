#include "serve/dialects/anthropic/errors.h"

#include <fmt/format.h>

#include "base/json.h"

namespace quire {
namespace {

constexpr int kOverloaded = 529;

// The status under which the service tells such an error.
int told_status(const ApiError& error) {
  if (error.status != 503) return error.status;
  if (error.code == "deadline_exceeded") return 504;
  return error.code == "model_load_failed" ? 500 : kOverloaded;
}

std::string_view told_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 504: return "timeout_error";
    case kOverloaded: return "overloaded_error";
    default: return status < 500 ? "invalid_request_error" : "api_error";
  }
}

// "temperature: expected a number ..." of "Invalid 'temperature': expected a number ...".
std::string told_message(const ApiError& error) {
  if (error.code == "model_not_found") {  // the sentence has the name between two `
    const std::size_t begin = error.message.find('`') + 1;
    return "model: " + error.message.substr(begin, error.message.find('`', begin) - begin);
  }
  const std::string path = error.param + ": ";
  const std::string_view message = error.message;
  // Agents look for a prompt that is too long by the beginning of what it says.
  const bool is_said = error.code == "context_length_exceeded" || message.starts_with(path);
  if (error.param.empty() || error.status != 400 || is_said) return error.message;
  for (const char* word : {"Invalid", "Unsupported parameter:"}) {
    const std::string begin = fmt::format("{} '{}': ", word, error.param);
    if (message.starts_with(begin)) return path + std::string(message.substr(begin.size()));
  }
  return path + error.message;
}

}  // namespace

std::string anthropic_error_body(const ApiError& error, std::string_view request_id) {
  Json inner = Json::object({{"type", told_type(told_status(error))},
                             {"message", told_message(error)}});
  Json body = Json::object({{"type", "error"}, {"error", std::move(inner)}});
  body.set("request_id", request_id.empty() ? Json() : Json(request_id));
  return dump(body);
}

http::Response render_anthropic_error(const ApiError& error, const http::Request& request) {
  http::Response response{.status = told_status(error),
                          .body = anthropic_error_body(error, request.id)};
  if (error.retry_after_s > 0) {
    response.headers.push_back({"retry-after", std::to_string(error.retry_after_s)});
  }
  return response;
}

}  // namespace quire
