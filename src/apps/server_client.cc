#include "apps/server_client.h"

#include <chrono>

#include "apps/flags.h"
#include "net/client.h"
#include "net/url.h"

namespace quire {
namespace {

constexpr long kConnectSecondsMax = 5;
constexpr std::chrono::seconds kTimeMax{30};
constexpr std::size_t kAnswerSizeMax = std::size_t{4} << 20;

Status refusal(int code, const Result<Json>& body) {
  const Json* error_json = body.is_ok() ? body->find("error") : nullptr;
  const Json* message = error_json != nullptr ? error_json->find("message") : nullptr;
  if (message == nullptr || !message->is_string()) {
    return error(StatusCode::kUnavailable, "the server answers with status {}", code);
  }
  return Status(code == 404 ? StatusCode::kNotFound : StatusCode::kUnavailable,
                message->as_string());
}

}  // namespace

void declare_server_flags(Command& command, ServerAddress& address) {
  command.value("--endpoint", address.endpoint, "where the server is").shows_default();
  command.value("--api-key", address.api_key, "the server's key, where it asks for one")
      .from_environment("QUIRE_API_KEY");
}

Result<Json> ask_server(const ServerAddress& address, std::string_view method,
                        const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(const std::string base,
                         net::server_base(address.endpoint, "--endpoint"));
  net::Request request{.url = base + path, .token = address.api_key};
  request.body_max = kAnswerSizeMax;
  request.time_max = kTimeMax;
  if (method == "POST") request.json = "{}";
  net::Client client({.connect_seconds = kConnectSecondsMax});
  const auto response = client.send(request);
  if (!response.is_ok()) {
    return error(StatusCode::kUnavailable, "no server answers at {} ({}); --endpoint names another",
                 base, client.failure());
  }
  Result<Json> body = parse_json(response->body);
  if (!response->is_success()) return refusal(response->status, body);
  if (!body.is_ok()) {
    return error(StatusCode::kUnavailable, "what answers at {} is no Quire server", base);
  }
  return body;
}

}  // namespace quire
