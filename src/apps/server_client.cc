#include "apps/server_client.h"

#include <curl/curl.h>

#include <CLI/CLI.hpp>
#include <memory>

namespace quire {
namespace {

constexpr long kConnectSecondsMax = 5;
constexpr long kSecondsMax = 30;
constexpr std::size_t kAnswerSizeMax = std::size_t{4} << 20;

// Called by curl; 0 ends the transfer.
std::size_t gather(const char* bytes, std::size_t size, std::size_t count, void* answer) {
  auto& text = *static_cast<std::string*>(answer);
  if (text.size() + size * count > kAnswerSizeMax) return 0;
  text.append(bytes, size * count);
  return size * count;
}

// "http://host:8000", "host:8000/" and "http://host:8000/v1" are one server.
std::string base_of(std::string endpoint) {
  if (endpoint.find("://") == std::string::npos) endpoint = "http://" + endpoint;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (endpoint.ends_with("/v1")) endpoint.resize(endpoint.size() - 3);
  return endpoint;
}

Status refusal(long code, const Result<Json>& body) {
  const Json* error_json = body.is_ok() ? body->find("error") : nullptr;
  const Json* message = error_json != nullptr ? error_json->find("message") : nullptr;
  if (message == nullptr || !message->is_string()) {
    return error(StatusCode::kUnavailable, "the server answers with status {}", code);
  }
  return Status(code == 404 ? StatusCode::kNotFound : StatusCode::kUnavailable,
                message->as_string());
}

}  // namespace

void declare_server_flags(CLI::App& command, ServerAddress& address) {
  command.add_option("--endpoint", address.endpoint, "where the server is")->capture_default_str();
  command.add_option("--api-key", address.api_key, "the server's key, where it asks for one")
      ->envname("QUIRE_API_KEY");
}

std::string url_escaped(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                          (byte >= 'a' && byte <= 'z') || c == '-' || c == '_' || c == '.' ||
                          c == '~' || c == '/';
    if (is_plain) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

Result<Json> ask_server(const ServerAddress& address, std::string_view method,
                        const std::string& path) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) return Status(StatusCode::kInternal, "the HTTP library does not start");
  const std::string base = base_of(address.endpoint);
  std::string answer;
  curl_slist* list = curl_slist_append(nullptr, "Content-Type: application/json");
  if (!address.api_key.empty()) {
    list = curl_slist_append(list, ("Authorization: Bearer " + address.api_key).c_str());
  }
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(list, curl_slist_free_all);
  curl_easy_setopt(curl.get(), CURLOPT_URL, (base + path).c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, gather);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, kConnectSecondsMax);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, kSecondsMax);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  if (method == "POST") curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, "{}");
  const CURLcode outcome = curl_easy_perform(curl.get());
  if (outcome != CURLE_OK) {
    return error(StatusCode::kUnavailable, "no server answers at {} ({}); --endpoint names another",
                 base, curl_easy_strerror(outcome));
  }
  long code = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &code);
  Result<Json> body = parse_json(answer);
  if (code < 200 || code > 299) return refusal(code, body);
  if (!body.is_ok()) {
    return error(StatusCode::kUnavailable, "what answers at {} is no Quire server", base);
  }
  return body;
}

}  // namespace quire
