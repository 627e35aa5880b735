#include "serve/front_door.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "base/text/ascii.h"
#include "base/json.h"
#include "serve/http/body/content_coding.h"
#include "serve/http/trace_context.h"

namespace quire {
namespace {

constexpr std::string_view kKeyedPrefixes[] = {"/v1/", "/quire/"};  // also where no route is
constexpr int kDrainRetrySeconds = 5;

bool has_keyed_prefix(std::string_view path) {
  return std::any_of(std::begin(kKeyedPrefixes), std::end(kKeyedPrefixes),
                     [&](std::string_view prefix) { return path.starts_with(prefix); });
}

// A HEAD is a GET whose body stays here.
bool is_method_of(const Route& route, std::string_view method) {
  return method == route.method || (method == "HEAD" && route.method == "GET");
}

// Who is meant where several fit: the greater.
int rank_of(const Route& route) {
  const bool is_literal = route.pattern.find('{') == std::string_view::npos;
  return (route.needs_header.empty() ? 0 : 2) + (is_literal ? 1 : 0);
}

bool has_its_header(const Route& route, const http::Request& request) {
  return route.needs_header.empty() || request.find(route.needs_header) != nullptr;
}

// A method that nobody knows is not implemented; one that is known may not be allowed (RFC 9110).
bool is_known_method(std::string_view method) {
  constexpr std::string_view kMethods[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                           "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

// "application/json", with or without parameters. `type`: in lower case.
bool says_type(const http::Request& head, std::string_view type) {
  const std::string* said = head.find("content-type");
  if (said == nullptr || !lower_ascii(*said).starts_with(type)) return false;
  return said->size() == type.size() || (*said)[type.size()] == ';' || (*said)[type.size()] == ' ';
}

// "127.0.0.1:80" -> "127.0.0.1", "[::1]:80" -> "[::1]"
std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  return colon == std::string_view::npos || host.ends_with(']') ? host : host.substr(0, colon);
}

// In lower case; empty: it has none.
const std::string& name_of_machine() {
  static const std::string name = [] {
    char buffer[256] = {};
    return gethostname(buffer, sizeof buffer - 1) == 0 ? lower_ascii(buffer) : std::string();
  }();
  return name;
}

// Not a name that a stranger can make point here: an address, a name without a dot, this machine's
// own, or one of those that no public name server answers for. "": a client that has no name.
bool is_own_host(std::string_view written) {
  std::string host = lower_ascii(written);
  if (host.ends_with('.')) host.pop_back();  // "localhost." is the same name
  const bool is_address = host.starts_with('[') ||
                          host.find_first_not_of("0123456789.") == std::string::npos;
  constexpr std::string_view kPrivate[] = {".localhost", ".local", ".internal"};
  return is_address || host.find('.') == std::string::npos || host == name_of_machine() ||
         std::any_of(std::begin(kPrivate), std::end(kPrivate),
                     [&](std::string_view end) { return host.ends_with(end); });
}

ApiError wrong_key(bool is_missing, bool takes_x_api_key) {
  const std::string where = takes_x_api_key ? "an x-api-key header, or in an Authorization header"
                                            : "an Authorization header";
  return {.status = 401,
          .message = is_missing ? "You didn't provide an API key. Provide it in " + where +
                                      ": Authorization: Bearer YOUR_KEY."
                                : "Incorrect API key provided.",
          .code = "invalid_api_key"};
}

void complete_head(const Dialect& dialect, const http::Request& request, http::Response& response) {
  if (dialect.complete_head != nullptr) dialect.complete_head({.request_id = request.id}, response);
}

}  // namespace

FrontDoor::FrontDoor(FrontDoorOptions options, const House& house,
                     std::span<const Dialect* const> dialects)
    : options_(std::move(options)),
      house_(&house),
      dialects_(dialects),
      tenants_(options_.api_keys, options_.api_key_shares) {
  for (const Tenant& tenant : tenants_.all()) house_->metrics.show_tenant(tenant.name);
}

Status FrontDoor::take_keys(const std::vector<KeyLine>& keys) {
  QUIRE_RETURN_IF_ERROR(tenants_.set_file_keys(keys));
  for (const Tenant& tenant : tenants_.all()) house_->metrics.show_tenant(tenant.name);
  return ok_status();
}

// A route that asks for a header comes before one that fits without, and a pattern without
// parameters before one that happens to fit; an error that belongs to no route is told by the
// dialect whose header is there, or whose prefix of the path is the longest.
FrontDoor::Place FrontDoor::find_place(const http::Request& request) const {
  Place found;
  for (const Dialect* dialect : dialects_) {
    for (const Route& route : dialect->routes) {
      Place place{.dialect = dialect, .route = &route};
      const bool is_better = found.route == nullptr || rank_of(route) > rank_of(*found.route);
      const bool fits = is_better && is_method_of(route, request.method) &&
                        has_its_header(route, request) &&
                        fits_pattern(route.pattern, request.path, place.path);
      if (fits) found = std::move(place);
    }
  }
  if (found.route == nullptr) found.dialect = &teller_of(request);
  return found;
}

const Dialect& FrontDoor::teller_of(const http::Request& request) const {
  const Dialect* teller = dialects_.front();
  std::size_t longest = 0;
  for (const Dialect* dialect : dialects_) {
    if (!dialect->error_header.empty() && request.find(dialect->error_header) != nullptr) {
      return *dialect;
    }
    const std::string_view prefix = dialect->error_prefix;
    if (prefix.size() <= longest || !request.path.starts_with(prefix)) continue;
    longest = prefix.size();
    teller = dialect;
  }
  return *teller;
}

std::string FrontDoor::allowed_methods(std::string_view path) const {
  if (path == "*") return "GET, HEAD, POST, DELETE";  // OPTIONS of the server as a whole
  std::vector<std::string_view> methods;
  const auto add = [&](std::string_view method) {
    if (std::find(methods.begin(), methods.end(), method) == methods.end()) {
      methods.push_back(method);
    }
  };
  PathParams ignored;
  for (const Dialect* dialect : dialects_) {
    for (const Route& route : dialect->routes) {
      if (!fits_pattern(route.pattern, path, ignored)) continue;
      add(route.method);
      if (route.method == "GET") add("HEAD");
    }
  }
  return fmt::format("{}", fmt::join(methods, ", "));
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
  const Place place = find_place(head);
  std::optional<http::Response> refusal = find_refusal(head, place);
  if (refusal) {
    complete_head(*place.dialect, head, *refusal);
    house_->metrics.count_answer(refusal->status);
    spdlog::debug("{} {} {}", head.method, dump(Json(head.path)), refusal->status);
  }
  return refusal;
}

std::shared_ptr<http::BodySink> FrontDoor::body_sink(const http::Request& head) {
  Place place = find_place(head);
  if (place.route == nullptr || place.route->endpoint.sink == nullptr) return nullptr;
  const auto sink = place.route->endpoint.sink;
  return sink(context_of(place, Tenant()), head);
}

std::size_t FrontDoor::body_max(const http::Request& head, const http::Limits& limits) {
  const Place place = find_place(head);
  const bool is_form = place.route != nullptr && place.route->body == BodyKind::kForm;
  return is_form ? limits.form_max : limits.body_max;
}

std::shared_ptr<void> FrontDoor::hold_large_body(const http::Limits& limits) {
  if (*large_bodies_ >= limits.large_bodies_max) return nullptr;
  ++*large_bodies_;
  return {large_bodies_.get(), [held = large_bodies_](std::size_t*) { --*held; }};
}

http::Response FrontDoor::refuse_key(const http::Request& head, const Place& place) const {
  const bool is_missing = head.count("authorization") == 0 &&
                          !(place.dialect->takes_x_api_key && head.count("x-api-key") > 0);
  http::Response response = place.dialect->render_error(
      wrong_key(is_missing, place.dialect->takes_x_api_key), head);
  response.headers.push_back({"www-authenticate", "Bearer"});
  return response;
}

// A question of a browser is answered before a key is asked for: it brings none.
std::optional<http::Response> FrontDoor::refuse_origin(const http::Request& head,
                                                       const Place& place) const {
  if (options_.origins.is_preflight(head)) {
    const std::string methods = allowed_methods(head.path);
    if (!methods.empty()) return options_.origins.answer_preflight(head, methods);
  }
  if (!options_.origins.is_foreign_change(head)) return std::nullopt;
  return place.dialect->render_error({.status = 403,
                                      .message = "A page of another site may not send this "
                                                 "(--allowed-origins).",
                                      .code = "origin_not_allowed"}, head);
}

http::Response FrontDoor::refuse_path(const http::Request& head, const Place& place) const {
  if (!is_known_method(head.method)) {
    return place.dialect->render_error(
        {.status = 501, .message = fmt::format("No such method here: {}.", head.method)}, head);
  }
  const std::string methods = allowed_methods(head.path);
  const ApiError error{.status = methods.empty() ? 404 : 405,
                       .message = fmt::format("{} ({} {})",
                                              methods.empty() ? "Invalid URL" : "Not allowed",
                                              head.method, head.path)};
  http::Response response = place.dialect->render_error(error, head);
  if (!methods.empty()) response.headers.push_back({"allow", methods});
  return response;
}

std::optional<http::Response> FrontDoor::find_refusal(const http::Request& head,
                                                      const Place& place) const {
  const Dialect& dialect = *place.dialect;
  if (!is_host_allowed(head)) {
    return dialect.render_error({.status = 403,
                                 .message = "This server listens on a loopback address and does "
                                            "not answer to that host name (--allowed-hosts).",
                                 .code = "host_not_allowed"}, head);
  }
  if (auto refusal = refuse_origin(head, place)) return refusal;
  const bool is_keyed = place.route != nullptr ? place.route->access != Access::kOpen
                                               : has_keyed_prefix(head.path);
  if (is_keyed && !tenants_.tenant_of(head, dialect.takes_x_api_key)) {
    return refuse_key(head, place);
  }
  if (place.route == nullptr) return refuse_path(head, place);
  if (auto restricted = options_.restricted.refusal(place.route->pattern, head);
      !restricted.empty()) {
    return dialect.render_error({.status = 403, .message = std::move(restricted),
                                 .code = "restricted_api"}, head);
  }
  if (place.route->access == Access::kOperator && !options_.is_operable) {
    return dialect.render_error({.status = 403,
                                 .message = fmt::format("{} disturbs every client of this server, "
                                                        "so it is closed; --operator-endpoints "
                                                        "opens it.", head.path),
                                 .code = "operator_endpoint"}, head);
  }
  if (const auto fault = find_fault_of_body(head, *place.route)) {
    http::Response response = dialect.render_error(*fault, head);
    if (fault->status == 415) response.headers.push_back({"accept", "application/json"});
    return response;
  }
  const bool is_new_work = place.route->body != BodyKind::kNone;
  if (!is_new_work || !house_->service.is_draining()) return std::nullopt;
  return dialect.render_error({.status = 503,
                               .message = "The server is draining: it finishes what it has and "
                                          "takes no new requests.",
                               .type = "service_unavailable_error",
                               .code = "server_draining",
                               .retry_after_s = kDrainRetrySeconds}, head);
}

std::optional<ApiError> FrontDoor::find_fault_of_body(const http::Request& head,
                                                      const Route& route) const {
  const bool is_good = route.body == BodyKind::kNone || route.body == BodyKind::kLooseJson ||
                       route.body == BodyKind::kFile ||
                       (route.body == BodyKind::kJson && says_type(head, "application/json")) ||
                       (route.body == BodyKind::kForm && says_type(head, "multipart/form-data"));
  if (is_good) return std::nullopt;
  return ApiError{.status = 415,
                  .message = route.body == BodyKind::kForm
                                 ? "Unsupported Media Type: send a form, with the header "
                                   "Content-Type: multipart/form-data."
                                 : "Unsupported Media Type: send the body with the header "
                                   "Content-Type: application/json.",
                  .code = "unsupported_content_type"};
}

void FrontDoor::answer(std::shared_ptr<http::Exchange> exchange) {
  const http::Request& request = exchange->request();
  Place place = find_place(request);
  QUIRE_CHECK(place.route != nullptr, "a request without a route was not refused");
  const auto tenant = tenants_.tenant_of(request, place.dialect->takes_x_api_key);
  if (!tenant && place.route->access != Access::kOpen) {  // withdrawn while the body arrived
    http::Response response = refuse_key(request, place);
    complete_head(*place.dialect, request, response);
    house_->metrics.count_answer(response.status);
    return exchange->respond(std::move(response));
  }
  answer_at(std::move(place), std::move(exchange), tenant.value_or(Tenant()));
}

void FrontDoor::answer_inside(std::shared_ptr<http::Exchange> exchange, const Tenant& tenant) {
  Place place = find_place(exchange->request());
  if (place.route == nullptr) return exchange->respond(refuse_path(exchange->request(), place));
  answer_at(std::move(place), std::move(exchange), tenant);
}

DialectContext FrontDoor::context_of(Place& place, const Tenant& tenant) const {
  ModelSource models;
  models.host = &house_->host;
  models.catalog = house_->catalog;
  return {.models = std::move(models),
          .unknown_fields_warn = options_.unknown_fields_warn,
          .keeps_volatile_lines = options_.keeps_volatile_lines,
          .is_operable = options_.is_operable,
          .tenant = tenant,
          .path = std::move(place.path),
          .house = house_};
}

void FrontDoor::answer_at(Place place, std::shared_ptr<http::Exchange> exchange,
                          const Tenant& tenant) {
  const http::Request& request = exchange->request();
  const auto trace = http::trace_parent_of(request);
  spdlog::debug("{} {} {}{}{}", request.method, dump(Json(request.path)), request.id,
                trace ? " trace=" : "", trace ? trace->trace_id : "");
  const Dialect& dialect = *place.dialect;
  const Endpoint& endpoint = place.route->endpoint;
  const DialectContext context = context_of(place, tenant);
  if (endpoint.quick != nullptr) {
    http::Response response = endpoint.quick(context, request);
    complete_head(dialect, request, response);
    house_->metrics.count_answer(response.status);
    return exchange->respond(std::move(response));
  }
  if (endpoint.late != nullptr) return endpoint.late(context, std::move(exchange));
  house_->service.answer(std::move(exchange), dialect, endpoint.parse, context);
}

http::Response FrontDoor::transport_error(int status, std::string_view reason,
                                          const http::Request& head) {
  house_->metrics.count_answer(status);
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
  const Dialect& dialect = *find_place(head).dialect;
  auto response = dialect.render_error(error, head);
  complete_head(dialect, head, response);
  if (status == 415) response.headers.push_back({"accept-encoding", http::kContentCodings});
  return response;
}

}  // namespace quire
