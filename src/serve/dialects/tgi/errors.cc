#include "serve/dialects/tgi/errors.h"

#include <fmt/format.h>

#include "serve/intake/fields.h"
#include "serve/intake/prompt.h"

namespace quire {
namespace {

constexpr const char* kWrongShape = "wrong_shape";
constexpr const char* kDetail = "validation_detail";  // the message is TGI's already

struct Told {
  int status = 500;
  std::string_view type;  // empty: plain text
  std::string text;
};

// What went wrong while an answer was made, whatever status others tell it by.
bool is_of_generation(const ApiError& error) {
  return error.status == 500 || error.code == "nothing_allowed" || error.code == "grammar_limit";
}

bool is_cut_off(const ApiError& error) {
  return error.code == "cancelled" || error.code == "deadline_exceeded" || error.code == "aborted";
}

Told told(const ApiError& error) {
  if (error.code == kWrongShape) return {422, "", error.message};
  // A number that no type of TGI's holds is one of another type.
  const bool is_number = error.message.find("does not fit 64 bits") != std::string::npos;
  if (error.code == "invalid_json" && is_number) {
    return {422, "", "Failed to deserialize the JSON body into the target type: " + error.message};
  }
  if (error.code == "invalid_json") {
    return {400, "", "Failed to parse the request body as JSON: " + error.message};
  }
  if (error.status == 415) return {415, "", error.message};
  if (error.code == "invalid_api_key") return {401, "", ""};
  if (is_of_generation(error)) {
    return {424, "generation", "Request failed during generation: " + error.message};
  }
  if (is_cut_off(error)) return {500, "incomplete_generation", "Incomplete generation"};
  if (error.status == 429) return {429, "overloaded", "Model is overloaded"};
  if (error.status == 503) return {503, "overloaded", error.message};
  if (error.code == kDetail) return {422, error.type, error.message};
  if (error.status != 400 || error.code == "bad_request") {
    return {error.status, "validation", error.message};
  }
  return {422, "validation", "Input validation error: " + error.message};
}

bool asks_for_stream(const http::Request& request) {
  if (request.body.empty()) return false;
  if (request.path == "/generate_stream") return true;
  if (request.path != "/" && request.path != "/invocations") return false;
  Parsed<Json> body = read_json_body(request.body);
  const Json* stream = body.is_ok() ? body->find("stream") : nullptr;
  return stream != nullptr && stream->is_bool() && stream->as_bool();
}

}  // namespace

ApiError tgi_validation(std::string field, std::string_view detail) {
  return {.status = 422,
          .message = fmt::format("Input validation error: {}", detail),
          .type = "validation",
          .param = std::move(field),
          .code = kDetail};
}

ApiError tgi_template_error(std::string_view detail) {
  return {.status = 422,
          .message = fmt::format("Template error: {}", detail),
          .type = "template_error",
          .param = "messages",
          .code = kDetail};
}

ApiError with_template_errors(ApiError error) {
  const bool has_no_template = error.code == "unsupported_parameter" && error.param == "messages";
  const bool is_one = error.code == kTemplateError || has_no_template;
  return is_one ? tgi_template_error(error.message) : error;
}

ApiError tgi_wrong_type(std::string field, std::string_view expected, const Json& got) {
  const std::string_view kind = kind_name(got.kind());
  const std::string value = shown(got);
  ApiError error{.status = 422,
                 .message = fmt::format("Failed to deserialize the JSON body into the target type: "
                                        "{}: invalid type: {}{}{}, expected {}", field, kind,
                                        value == kind ? "" : " ", value == kind ? "" : value,
                                        expected)};
  error.param = std::move(field);
  error.code = kWrongShape;
  return error;
}

ApiError tgi_missing_field(std::string field) {
  ApiError error{.status = 422,
                 .message = fmt::format("Failed to deserialize the JSON body into the target type: "
                                        "missing field `{}`", field)};
  error.param = std::move(field);
  error.code = kWrongShape;
  return error;
}

std::string tgi_error_body(const ApiError& error) {
  Told it = told(error);
  return dump(Json::object({{"error", std::move(it.text)}, {"error_type", it.type}}));
}

http::Response render_tgi_error(const ApiError& error, const http::Request& request) {
  const Told it = told(error);
  http::Response response{.status = it.status};
  if (it.type.empty()) {
    response.content_type = "text/plain; charset=utf-8";
    response.body = it.text;
    return response;
  }
  response.body = tgi_error_body(error);
  const bool is_event = it.status == 422 || it.status == 424 || it.status == 429 ||
                        it.type == "incomplete_generation";
  if (is_event && asks_for_stream(request)) {
    response.status = 200;
    response.content_type = "text/event-stream";
    response.headers = {{"cache-control", "no-cache"}};
    response.body = "data: " + response.body + "\n\n";
  }
  if (error.retry_after_s > 0) {
    response.headers.push_back({"retry-after", std::to_string(error.retry_after_s)});
  }
  return response;
}

bool speaks_tgi(const http::Request& request) {
  if (request.body.find("\"inputs\"") == std::string::npos) return false;
  Parsed<Json> body = read_json_body(request.body);
  return body.is_ok() && body->find("inputs") != nullptr;
}

}  // namespace quire
