#include "serve/dialects/openai/errors.h"

#include "base/json.h"

namespace quire {

std::string openai_error_body(const ApiError& error) {
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  Json inner = Json::object({{"message", error.message}, {"type", error.type}});
  inner.set("param", or_null(error.param));
  inner.set("code", or_null(error.code));
  return dump(Json::object({{"error", std::move(inner)}}));
}

http::Response render_openai_error(const ApiError& error) {
  http::Response response{.status = error.status, .body = openai_error_body(error)};
  if (error.retry_after_s > 0) {
    response.headers.push_back({"retry-after", std::to_string(error.retry_after_s)});
  }
  return response;
}

}  // namespace quire
