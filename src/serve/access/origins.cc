#include "serve/access/origins.h"

#include <algorithm>

#include "base/text/ascii.h"
#include "base/json.h"

namespace quire {
namespace {

constexpr const char* kMaxAgeSeconds = "600";

// What clients of our protocols send; a name that ends in '-' stands for all that begin so.
constexpr std::string_view kRequestHeaders[] = {
    "accept", "anthropic-", "authorization", "cache-control", "content-encoding", "content-type",
    "idempotency-key", "openai-", "traceparent", "x-api-key", "x-request-id", "x-stainless-"};

// What they read of answers; the others a page never sees.
constexpr const char* kReplyHeaders =
    "x-request-id, request-id, openai-processing-ms, openai-version, openai-organization, "
    "retry-after, x-ratelimit-limit-requests, x-ratelimit-limit-tokens, "
    "x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, "
    "x-ratelimit-reset-tokens";

// scheme://host[:port], and nothing behind it.
bool is_origin(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (text == "null") return true;
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(colon + 3);
  return !host.empty() && host.find_first_of("/?#@, \t*") == std::string_view::npos;
}

bool is_request_header(std::string_view name) {
  return std::any_of(std::begin(kRequestHeaders), std::end(kRequestHeaders),
                     [&](std::string_view known) {
                       return known.ends_with('-') ? name.starts_with(known) : name == known;
                     });
}

// Those of the names in a list that we let through, in lower case.
std::string allowed_headers(std::string_view list) {
  std::string out;
  while (!list.empty()) {
    const std::string_view entry = list.substr(0, std::min(list.find(','), list.size()));
    list.remove_prefix(std::min(entry.size() + 1, list.size()));
    std::string name = lower_ascii(entry);
    std::erase_if(name, [](char c) { return c == ' ' || c == '\t'; });
    if (!is_request_header(name)) continue;
    out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

// The page was served by this server, under whatever name the browser knows it.
bool is_own(std::string_view origin, const http::Request& head) {
  const std::string* host = head.find("host");
  const std::size_t colon = origin.find("://");
  return host != nullptr && colon != std::string_view::npos &&
         lower_ascii(origin.substr(colon + 3)) == lower_ascii(*host);
}

// A program of this machine that a browser's engine runs: a page of a server here, or one that no
// server has sent. A page of elsewhere cannot have such an origin.
bool is_local(std::string_view written) {
  const std::string origin = lower_ascii(written);
  constexpr std::string_view kSchemes[] = {"app://", "file://", "tauri://", "vscode-webview://",
                                           "vscode-file://"};
  const auto is_of = [&](std::string_view scheme) { return origin.starts_with(scheme); };
  if (std::any_of(std::begin(kSchemes), std::end(kSchemes), is_of)) return true;
  if (!is_of("http://") && !is_of("https://")) return false;
  const std::string_view place = std::string_view(origin).substr(origin.find("://") + 3);
  const std::size_t colon = place.find(':');
  const std::string_view host = place.substr(0, colon);
  const std::string_view port = colon == place.npos ? "80" : place.substr(colon + 1);
  return (host == "localhost" || host == "127.0.0.1" || host == "0.0.0.0") && !port.empty() &&
         port.find_first_not_of("0123456789") == port.npos;
}

// Ollama lets such programs in, and they count on it.
bool is_welcome(std::string_view origin, const http::Request& head) {
  return head.path.starts_with("/api/") && is_local(origin);
}

}  // namespace

Result<Origins> Origins::from(const std::vector<std::string>& allowed) {
  Origins origins;
  std::vector<std::string> names;
  for (const std::string& entry : allowed) {
    // The command line's own reader takes some brackets off and leaves the quotes.
    const Result<Json> json = parse_json(entry);
    if (json.is_ok() && json->is_array()) {
      for (const Json& name : json->items()) {
        names.push_back(name.is_string() ? name.as_string() : dump(name));
      }
    } else {
      names.push_back(json.is_ok() && json->is_string() ? json->as_string() : entry);
    }
  }
  for (const std::string& name : names) {
    if (name == "*") {
      origins.allows_all_ = true;
    } else if (is_origin(name)) {
      origins.allowed_.push_back(lower_ascii(name));
    } else {
      return error(StatusCode::kInvalidArgument,
                   "--allowed-origins '{}' is no origin: scheme://host or scheme://host:port, "
                   "without a path, or * for every one", name);
    }
  }
  return origins;
}

bool Origins::is_allowed(std::string_view origin, const http::Request& head) const {
  return allows_all_ || is_welcome(origin, head) ||
         std::find(allowed_.begin(), allowed_.end(), lower_ascii(origin)) != allowed_.end();
}

bool Origins::is_foreign_change(const http::Request& head) const {
  if (head.method == "GET" || head.method == "HEAD" || head.method == "OPTIONS") return false;
  // Several would be a trick: none of them counts.
  if (head.count("origin") > 1) return true;
  if (const std::string* origin = head.find("origin")) {
    return !is_allowed(*origin, head) && !is_own(*origin, head);
  }
  // Browsers that tell no origin with a form tell at least this.
  const std::string* site = head.find("sec-fetch-site");
  return site != nullptr && (*site == "cross-site" || *site == "same-site") && !allows_all_;
}

bool Origins::is_preflight(const http::Request& head) const {
  return head.method == "OPTIONS" && head.count("origin") == 1 &&
         head.count("access-control-request-method") == 1 &&
         (is_known() || is_welcome(*head.find("origin"), head));
}

http::Response Origins::answer_preflight(const http::Request& head,
                                         std::string_view methods) const {
  if (!is_allowed(*head.find("origin"), head)) return {.status = 403};
  http::Response response{.status = 204};
  response.headers.push_back({"access-control-allow-methods", std::string(methods)});
  const std::string* wanted = head.find("access-control-request-headers");
  const std::string headers = wanted == nullptr ? "" : allowed_headers(*wanted);
  if (!headers.empty()) response.headers.push_back({"access-control-allow-headers", headers});
  response.headers.push_back({"access-control-max-age", kMaxAgeSeconds});
  response.headers.push_back({"vary", "Access-Control-Request-Headers"});
  return response;
}

std::vector<http::Header> Origins::reply_headers(const http::Request& head) const {
  const std::string* origin = head.find("origin");
  const bool is_one = origin != nullptr && head.count("origin") == 1;
  if (!is_known() && !(is_one && is_welcome(*origin, head))) return {};
  std::vector<http::Header> headers;
  if (!allows_all_) headers.push_back({"vary", "Origin"});
  if (!is_one || !is_allowed(*origin, head)) return headers;
  headers.push_back({"access-control-allow-origin", allows_all_ ? "*" : *origin});
  const bool is_asked = head.method == "OPTIONS";
  if (!is_asked) headers.push_back({"access-control-expose-headers", kReplyHeaders});
  return headers;
}

}  // namespace quire
