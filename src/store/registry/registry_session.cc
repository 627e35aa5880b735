#include "store/registry/registry_session.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/clock.h"
#include "base/json.h"
#include "base/text/ascii.h"
#include "net/url.h"
#include "store/checksum.h"
#include "store/registry/registry_key.h"

namespace quire::store {
namespace {

constexpr int kRedirectsMax = 3;
constexpr std::size_t kToldMax = 300;      // bytes of what a registry says that are repeated
constexpr std::size_t kTokenMax = 16'384;  // bytes

// "127.0.0.1", "localhost", "[::1]", with a port or without.
bool is_own_address(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon != host.npos && host.find(']', colon) == host.npos) host = host.substr(0, colon);
  if (host == "[::1]" || host == "localhost") return true;
  return host.starts_with("127.") && std::all_of(host.begin(), host.end(), [](char c) {
           return c == '.' || (c >= '0' && c <= '9');
         });
}

// scheme://host:port
std::string origin_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == url.npos) return {};
  return lower_ascii(url.substr(0, url.find_first_of("/?#", scheme + 3)));
}

// What stands behind `name=` in a challenge, in quotes.
std::string challenge_value(std::string_view challenge, std::string_view name) {
  const std::string mark = std::string(name) + "=\"";
  std::size_t begin = challenge.find(mark);
  while (begin != challenge.npos && begin > 0 && is_letter_or_digit(challenge[begin - 1])) {
    begin = challenge.find(mark, begin + 1);
  }
  if (begin == challenge.npos) return {};
  begin += mark.size();
  const std::size_t end = challenge.find('"', begin);
  return std::string(challenge.substr(begin, end == challenge.npos ? 0 : end - begin));
}

// What a person may see of a text from elsewhere.
std::string told(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, kToldMax)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < 0x20 || byte == 0x7F ? ' ' : c;
  }
  while (shown.ends_with(' ')) shown.pop_back();
  return shown;
}

// "digest invalid (DIGEST_INVALID)" of {"errors":[{"code":...,"message":...}]}, or what there is.
std::string sentence_of(const net::Response& response) {
  const auto json = parse_json(response.body);
  const Json* errors = json.is_ok() ? json->find("errors") : nullptr;
  const bool is_list = errors != nullptr && errors->is_array() && !errors->items().empty();
  if (!is_list) return told(response.body);
  const auto text = [&](const char* name) {
    const Json* value = errors->items().front().find(name);
    return value != nullptr && value->is_string() ? value->as_string() : std::string();
  };
  const std::string code = text("code");
  const std::string message = text("message");
  if (message.empty() || code.empty()) return told(message + code);
  return told(message + " (" + code + ")");
}

// Sorted by name, as the registry writes it again before it checks the signature.
std::string query_of(const std::multimap<std::string, std::string>& values) {
  std::string query;
  for (const auto& [name, value] : values) {
    query += (query.empty() ? "" : "&") + net::url_escaped(name) + "=" + net::url_escaped(value);
  }
  return query;
}

Result<std::string> token_of(const std::string& body) {
  const auto json = parse_json(body);
  for (const char* name : {"token", "access_token"}) {
    const Json* value = json.is_ok() ? json->find(name) : nullptr;
    const bool is_token = value != nullptr && value->is_string() && !value->as_string().empty() &&
                          value->as_string().size() <= kTokenMax;
    if (!is_token) continue;
    const std::string& token = value->as_string();
    const bool is_one_word = std::all_of(token.begin(), token.end(),
                                         [](char c) { return c > ' ' && c < 0x7F; });
    if (is_one_word) return token;
  }
  return error(StatusCode::kCorrupt, "its answer has no token");
}

}  // namespace

std::string registry_base(const std::string& host, bool is_insecure) {
  return (is_insecure || is_own_address(host) ? "http://" : "https://") + host;
}

RegistrySession::RegistrySession(const std::string& host, bool is_insecure,
                                 const net::Limits& limits)
    : host_(host), base_(registry_base(host, is_insecure)), limits_(limits), client_(limits) {}

Result<net::Response> RegistrySession::send(const net::Request& request) {
  return ask(request, Patience::kNone);
}

Result<net::Response> RegistrySession::send_patiently(const net::Request& request) {
  return ask(request, Patience::kSome);
}

Result<net::Response> RegistrySession::send_once(const net::Request& request, Patience patience) {
  net::Request sent = request;
  if (origin_of(sent.url) == origin_of(base_)) sent.token = token_;
  auto response = patience == Patience::kSome ? client_.send_patiently(sent) : client_.send(sent);
  const std::string& why = response.status().message();
  const bool is_tls = base_.starts_with("https:") && why.find("SSL") != why.npos;
  if (response.is_ok() || !is_tls) return response;
  return error(response.status().code(),
               "{} (a registry without TLS is asked only with \"insecure\")", why);
}

Result<net::Response> RegistrySession::ask(const net::Request& request, Patience patience) {
  auto response = send_once(request, patience);
  const bool is_ours = origin_of(request.url) == origin_of(base_);
  if (!response.is_ok() || response->status != 401 || !is_ours) return response;
  QUIRE_RETURN_IF_ERROR(sign_in(response->header("www-authenticate")));
  response = send_once(request, patience);
  if (!response.is_ok() || response->status != 401) return response;
  token_.clear();
  return unauthorized(sentence_of(*response));
}

Status RegistrySession::unauthorized(std::string_view why) const {
  return error(StatusCode::kUnsupported, "unauthorized: access denied by the registry {}{}{}",
               host_, why.empty() ? "" : ": ", why);
}

Status RegistrySession::sign_in(std::string_view challenge) {
  constexpr std::string_view kBearer = "bearer ";
  const std::string realm = challenge_value(challenge, "realm");
  if (lower_ascii(challenge.substr(0, kBearer.size())) != kBearer || realm.empty()) {
    return unauthorized("it asks for a login of a kind that is not supported: only that by a "
                        "signature is");
  }
  if (origin_of(realm) != origin_of(base_)) {
    return unauthorized(fmt::format("it sends us to {} for a login; only a realm of its own is "
                                    "trusted", net::host_of(realm)));
  }
  const auto key = RegistryKey::of_user();
  if (!key.is_ok()) {
    return unauthorized(fmt::format("you must be logged in: {} to sign with; Ollama makes one, "
                                    "and it has to be added to your account",
                                    key.status().message()));
  }
  std::array<unsigned char, 16> chance{};
  RAND_bytes(chance.data(), static_cast<int>(chance.size()));
  std::multimap<std::string, std::string> values = {
      {"service", challenge_value(challenge, "service")},
      {"ts", std::to_string(SteadyClock::unix_seconds())},
      {"nonce", base64({reinterpret_cast<const char*>(chance.data()), chance.size()}, true)}};
  const std::string scopes = challenge_value(challenge, "scope");
  for (std::size_t at = 0; at <= scopes.size();) {
    const std::size_t end = std::min(scopes.find(' ', at), scopes.size());
    values.emplace("scope", scopes.substr(at, end - at));
    at = end + 1;
  }
  const char mark = realm.find('?') == realm.npos ? '?' : '&';
  const std::string url = realm + mark + query_of(values);
  Digest nothing;  // of the body, which there is none of
  QUIRE_ASSIGN_OR_RETURN(const std::string signature,
                         key->sign("GET," + url + "," + base64(nothing.finish().hex)));
  token_.clear();
  QUIRE_ASSIGN_OR_RETURN(
      const net::Response response,
      client_.send_patiently({.url = url, .headers = {"Authorization: " + signature}}));
  if (!response.is_success()) {
    return unauthorized(fmt::format("it does not take the signature of your key: {}: {}",
                                    response.status, sentence_of(response)));
  }
  const auto token = token_of(response.body);
  if (!token.is_ok()) return unauthorized(token.status().message());
  token_ = *token;
  return ok_status();
}

Result<net::Response> RegistrySession::look(std::string url) {
  for (int redirects = 0;; ++redirects) {
    auto response = send_patiently({.url = url, .is_head = true});
    const bool is_elsewhere = response.is_ok() && response->status / 100 == 3;
    if (!is_elsewhere || redirects == kRedirectsMax) return response;
    QUIRE_ASSIGN_OR_RETURN(url, resolve(url, response->header("location")));
  }
}

Result<std::string> RegistrySession::resolve(const std::string& asked,
                                             std::string_view place) const {
  const auto url = place.empty() ? Result<std::string>(error(StatusCode::kCorrupt, "nowhere"))
                                 : net::resolve_url(asked, std::string(place));
  if (!url.is_ok()) {
    return error(StatusCode::kCorrupt, "the registry {} did not say where to send what follows",
                 host_);
  }
  if (asked.starts_with("https:") && !url->starts_with("https:")) {
    return error(StatusCode::kCorrupt, "the registry {} sends us to {} without TLS, which is "
                 "refused", host_, net::host_of(*url));
  }
  return url;
}

Result<std::string> RegistrySession::place(const net::Response& response,
                                           const std::string& asked) const {
  const std::string_view meant = response.header("docker-upload-location");
  return resolve(asked, meant.empty() ? response.header("location") : meant);
}

Status RegistrySession::explain(const net::Response& response, std::string_view what) const {
  const std::string said = sentence_of(response);
  const std::string more = said.empty() ? "" : ": " + said;
  if (response.status == 403) {
    return error(StatusCode::kUnsupported, "access denied: the registry {} refused {}{}", host_,
                 what, more);
  }
  const StatusCode code = response.status == 404    ? StatusCode::kNotFound
                          : response.is_passing()   ? StatusCode::kUnavailable
                                                    : StatusCode::kUnsupported;
  return error(code, "the registry {} answered {} to {}{}", host_, response.status, what, more);
}

}  // namespace quire::store
