#include "serve/routes.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "serve/dialects/openai_chat.h"
#include "serve/dialects/openai_common.h"
#include "serve/dialects/openai_completions.h"
#include "serve/dialects/openai_models.h"
#include "serve/dialects/quire_models.h"
#include "serve/dialects/vllm_tokenize.h"
#include "serve/page/page.h"

namespace quire {

struct Route {
  std::string_view method;
  std::string_view path;
  bool is_prefix;  // the path goes on
  bool is_keyed;   // asks for an API key, where keys are set
  http::Response (FrontDoor::*quick)(const http::Request&) const;  // null: one of the others
  const Dialect* dialect;                                      // through the service
  void (FrontDoor::*late)(std::shared_ptr<http::Exchange>) = nullptr;
};

namespace {

constexpr Dialect kOpenAiChat = {parse_openai_chat, render_openai_error};
constexpr Dialect kOpenAiCompletions = {parse_openai_completion, render_openai_error};
constexpr Dialect kTokenize = {parse_vllm_tokenize, render_openai_error};
constexpr Dialect kDetokenize = {parse_vllm_detokenize, render_openai_error};

constexpr Route kRoutes[] = {
    {"GET", "/", false, false, &FrontDoor::show_root, nullptr},
    {"GET", "/assets/", true, false, &FrontDoor::show_page_part, nullptr},
    {"GET", "/health", false, false, &FrontDoor::show_health, nullptr},
    {"GET", "/ready", false, false, &FrontDoor::show_ready, nullptr},
    {"GET", "/version", false, false, &FrontDoor::show_version, nullptr},
    {"GET", "/metrics", false, false, &FrontDoor::show_metrics, nullptr},
    {"GET", "/v1/models", false, true, &FrontDoor::list_models, nullptr},
    {"GET", "/v1/models/", true, true, &FrontDoor::show_model, nullptr},
    {"GET", "/quire/models", false, true, &FrontDoor::list_host, nullptr},
    {"POST", "/quire/models/", true, true, &FrontDoor::change_host, nullptr},
    {"POST", "/v1/chat/completions", false, true, nullptr, &kOpenAiChat},
    {"POST", "/v1/completions", false, true, nullptr, &kOpenAiCompletions},
    {"POST", "/tokenize", false, true, nullptr, &kTokenize},
    {"POST", "/detokenize", false, true, nullptr, &kDetokenize},
    {"GET", "/quire/status", false, true, nullptr, nullptr, &FrontDoor::show_status},
    {"GET", "/quire/status/stream", false, true, nullptr, nullptr, &FrontDoor::watch_status},
    {"GET", "/debug/requests", false, true, &FrontDoor::list_requests, nullptr},
    {"GET", "/debug/requests/", true, true, &FrontDoor::show_request, nullptr},
};

constexpr std::string_view kKeyedPrefixes[] = {"/v1/", "/quire/"};  // also where no route is
constexpr int kDrainRetrySeconds = 5;

bool is_path_of(const Route& route, std::string_view path) {
  return route.is_prefix ? path.starts_with(route.path) && path.size() > route.path.size()
                         : path == route.path;
}

// A HEAD is a GET whose body stays here.
bool is_method_of(const Route& route, std::string_view method) {
  return method == route.method || (method == "HEAD" && route.method == "GET");
}

const Route* find_route(const http::Request& request) {
  const auto found = std::find_if(std::begin(kRoutes), std::end(kRoutes), [&](const Route& route) {
    return is_path_of(route, request.path) && is_method_of(route, request.method);
  });
  return found == std::end(kRoutes) ? nullptr : found;
}

bool has_keyed_prefix(std::string_view path) {
  return std::any_of(std::begin(kKeyedPrefixes), std::end(kKeyedPrefixes),
                     [&](std::string_view prefix) { return path.starts_with(prefix); });
}

std::string allowed_methods(std::string_view path) {
  if (path == "*") return "GET, HEAD, POST";  // OPTIONS of the server as a whole
  std::string methods;
  for (const Route& route : kRoutes) {
    if (!is_path_of(route, path)) continue;
    if (!methods.empty()) methods += ", ";
    methods += route.method;
    if (route.method == "GET") methods += ", HEAD";
  }
  return methods;
}

// A method that nobody knows is not implemented; one that is known may not be allowed (RFC 9110).
bool is_known_method(std::string_view method) {
  constexpr std::string_view kMethods[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                           "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

// "application/json", with or without parameters.
bool is_json(const http::Request& head) {
  const std::string* type = head.find("content-type");
  if (type == nullptr) return false;
  constexpr std::string_view kJson = "application/json";
  if (type->size() < kJson.size()) return false;
  for (std::size_t i = 0; i < kJson.size(); ++i) {
    const char c = (*type)[i];
    if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != kJson[i]) return false;
  }
  return type->size() == kJson.size() || (*type)[kJson.size()] == ';' ||
         (*type)[kJson.size()] == ' ';
}

// "127.0.0.1:80" -> "127.0.0.1", "[::1]:80" -> "[::1]"
std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  return colon == std::string_view::npos || host.ends_with(']') ? host : host.substr(0, colon);
}

// Not a name that a stranger can make point here: an address, or a name without a dot, or
// localhost.
bool is_own_host(std::string_view host) {
  const bool is_address = host.starts_with('[') ||
                          host.find_first_not_of("0123456789.") == std::string_view::npos;
  return is_address || host.find('.') == std::string_view::npos || host.ends_with(".localhost");
}

ApiError wrong_key(bool is_missing) {
  return {.status = 401,
          .message = is_missing ? "You didn't provide an API key. Provide it in an Authorization "
                                  "header: Authorization: Bearer YOUR_KEY."
                                : "Incorrect API key provided.",
          .code = "invalid_api_key"};
}

}  // namespace

FrontDoor::FrontDoor(FrontDoorOptions options, ModelHost& host, Service& service,
                     Metrics& metrics, StatusFeed& status)
    : options_(std::move(options)),
      host_(&host),
      service_(&service),
      metrics_(&metrics),
      status_(&status),
      tenants_(options_.api_keys, options_.api_key_shares) {
  for (const Tenant& tenant : tenants_.all()) metrics_->show_tenant(tenant.name);
}

bool FrontDoor::is_host_allowed(const http::Request& head) const {
  const std::string* host = head.find("host");
  if (!options_.is_loopback || host == nullptr) return true;
  const std::string_view name = without_port(*host);
  return is_own_host(name) ||
         std::any_of(options_.allowed_hosts.begin(), options_.allowed_hosts.end(),
                     [&](const std::string& allowed) { return allowed == "*" || allowed == name; });
}

std::optional<http::Response> FrontDoor::refuse(const http::Request& head) {
  std::optional<http::Response> refusal = find_refusal(head);
  if (refusal) {
    metrics_->count_answer(refusal->status);
    spdlog::debug("{} {} {}", head.method, dump(Json(head.path)), refusal->status);
  }
  return refusal;
}

std::optional<http::Response> FrontDoor::find_refusal(const http::Request& head) const {
  if (!is_host_allowed(head)) {
    return render_openai_error({.status = 403,
                                .message = "This server listens on a loopback address and does not "
                                           "answer to that host name (--allowed-hosts).",
                                .code = "host_not_allowed"});
  }
  const Route* route = find_route(head);
  const bool is_keyed = route != nullptr ? route->is_keyed : has_keyed_prefix(head.path);
  if (is_keyed && !tenants_.tenant_of(head)) {
    http::Response response = render_openai_error(wrong_key(head.count("authorization") == 0));
    response.headers.push_back({"www-authenticate", "Bearer"});
    return response;
  }
  if (route == nullptr && !is_known_method(head.method)) {
    return render_openai_error({.status = 501,
                                .message = fmt::format("No such method here: {}.", head.method)});
  }
  if (route == nullptr) {
    const std::string methods = allowed_methods(head.path);
    ApiError error{.status = methods.empty() ? 404 : 405,
                   .message = fmt::format("{} ({} {})",
                                          methods.empty() ? "Invalid URL" : "Not allowed",
                                          head.method, head.path)};
    http::Response response = render_openai_error(error);
    if (!methods.empty()) response.headers.push_back({"allow", methods});
    return response;
  }
  if (route->method == "GET") return std::nullopt;
  // Asked of every POST, so that no page of another site can send one unasked.
  if (!is_json(head)) {
    auto response = render_openai_error({.status = 415,
                                         .message = "Unsupported Media Type: send the body with "
                                                    "the header Content-Type: application/json.",
                                         .code = "unsupported_content_type"});
    response.headers.push_back({"accept", "application/json"});
    return response;
  }
  if (service_->is_draining()) {
    return render_openai_error({.status = 503,
                                .message = "The server is draining: it finishes what it has and "
                                           "takes no new requests.",
                                .type = "service_unavailable_error",
                                .code = "server_draining",
                                .retry_after_s = kDrainRetrySeconds});
  }
  return std::nullopt;
}

void FrontDoor::answer(std::shared_ptr<http::Exchange> exchange) {
  const http::Request& request = exchange->request();
  const Route* route = find_route(request);
  QUIRE_CHECK(route != nullptr, "a request without a route was not refused");
  spdlog::debug("{} {} {}", request.method, dump(Json(request.path)), request.id);
  if (route->quick != nullptr) {
    http::Response response = (this->*route->quick)(request);
    metrics_->count_answer(response.status);
    return exchange->respond(std::move(response));
  }
  if (route->late != nullptr) return (this->*route->late)(std::move(exchange));
  const DialectContext context{.host = host_,
                               .unknown_fields_warn = options_.unknown_fields_warn,
                               .tenant = tenants_.tenant_of(request).value_or(Tenant())};
  service_->answer(std::move(exchange), *route->dialect, context);
}

http::Response FrontDoor::transport_error(int status, std::string_view reason) {
  metrics_->count_answer(status);
  ApiError error{.status = status, .message = std::string(reason)};
  error.message += '.';
  error.message.front() = static_cast<char>(std::toupper(error.message.front()));
  if (status == 400) error.code = "bad_request";
  if (status == 413) error.code = "request_too_large";
  if (status == 503) {
    error.type = "service_unavailable_error";
    error.code = "server_is_overloaded";
    error.retry_after_s = 1;
  }
  auto response = render_openai_error(error);
  if (status == 415) response.headers.push_back({"accept-encoding", "identity"});
  return response;
}

http::Response FrontDoor::show_root(const http::Request& request) const {
  if (prefers_html(request)) return show_page_asset(request);
  const Json what = Json::object(
      {{"server", "quire"}, {"version", options_.version},
       {"speaks", "OpenAI's HTTP API under /v1: models, chat/completions, completions"},
       {"see", Json::array({"/v1/models", "/health", "/ready", "/version", "/metrics"})}});
  return {.headers = {{"vary", "Accept"}}, .body = dump(what)};
}

http::Response FrontDoor::show_page_part(const http::Request& request) const {
  return show_page_asset(request);
}

http::Response FrontDoor::show_health(const http::Request&) const {
  const bool is_alive = service_->is_alive(SteadyClock::now());
  return {.status = is_alive ? 200 : 503,
          .body = dump(Json::object({{"status", is_alive ? "ok" : "stalled"}}))};
}

http::Response FrontDoor::show_ready(const http::Request&) const {
  const std::vector<ModelRow> models = host_->rows();
  const auto count = [&](auto has) { return std::count_if(models.begin(), models.end(), has); };
  const auto failed = count([](const ModelRow& model) { return !model.failure.empty(); });
  const bool has_hope = failed < std::ssize(models);
  const bool is_ready = !service_->is_draining() && has_hope;
  Json body = Json::object({{"status", service_->is_draining() ? "draining"
                                       : has_hope              ? "ready"
                                                               : "no model can be loaded"}});
  body.set("models", models.size());
  body.set("loaded", count([](const ModelRow& m) { return m.state == ModelState::kReady; }));
  body.set("failed", failed);
  return {.status = is_ready ? 200 : 503, .body = dump(body)};
}

http::Response FrontDoor::show_version(const http::Request&) const {
  return {.body = dump(Json::object({{"version", options_.version}}))};
}

http::Response FrontDoor::show_metrics(const http::Request&) const {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_->text()};
}

http::Response FrontDoor::list_models(const http::Request&) const {
  return list_openai_models(*host_);
}

http::Response FrontDoor::show_model(const http::Request& request) const {
  constexpr std::string_view kPrefix = "/v1/models/";
  return show_openai_model(*host_, std::string_view(request.path).substr(kPrefix.size()));
}

http::Response FrontDoor::list_host(const http::Request&) const {
  return list_quire_models(*host_);
}

http::Response FrontDoor::change_host(const http::Request& request) const {
  constexpr std::string_view kPrefix = "/quire/models/";
  return change_quire_model(*host_, std::string_view(request.path).substr(kPrefix.size()));
}

http::Response FrontDoor::list_requests(const http::Request&) const {
  return {.headers = {{"cache-control", "no-store"}},
          .body = dump(requests_json(status_->requests()))};
}

http::Response FrontDoor::show_request(const http::Request& request) const {
  constexpr std::string_view kPrefix = "/debug/requests/";
  const RequestLog& log = status_->requests();
  const RequestRecord* record = log.find(std::string_view(request.path).substr(kPrefix.size()));
  if (record == nullptr) {
    return render_openai_error({.status = 404,
                                .message = "No request of that id is alive or among those that "
                                           "finished last.",
                                .code = "request_not_found"});
  }
  return {.headers = {{"cache-control", "no-store"}},
          .body = dump(request_json(*record, log, SteadyClock::now()))};
}

void FrontDoor::show_status(std::shared_ptr<http::Exchange> exchange) {
  status_->show(std::move(exchange));
}

void FrontDoor::watch_status(std::shared_ptr<http::Exchange> exchange) {
  status_->watch(std::move(exchange));
}

}  // namespace quire
