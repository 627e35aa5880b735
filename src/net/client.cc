#include "net/client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <thread>

namespace quire::net {
namespace {

constexpr int kRedirectsMax = 5;
constexpr int kHeaderLinesMax = 1000;
constexpr std::size_t kHeaderBytesMax = 4096;
constexpr std::size_t kErrorBodyMax = std::size_t{64} << 10;

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

// One transfer as the callbacks of curl see it. They may not throw, and curl calls nobody else.
struct Transfer {
  const Request& request;
  Response response;
  Status failure;
  int header_lines = 0;
  std::size_t error_bytes = 0;

  bool is_success() const { return response.status >= 200 && response.status < 300; }
  std::size_t take_header(std::string_view line);
  std::size_t take_body(std::string_view piece);
};

// A new status line begins the headers of a new response: that of a redirect's target.
std::size_t Transfer::take_header(std::string_view line) {
  const std::size_t size = line.size();
  if (++header_lines > kHeaderLinesMax) return 0;
  if (line.starts_with("HTTP/")) {
    response = {};
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos) response.status = std::atoi(line.data() + space + 1);
    return size;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || size > kHeaderBytesMax) return size;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front()))) {
    value.remove_prefix(1);
  }
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) {
    value.remove_suffix(1);
  }
  response.headers.insert_or_assign(std::move(name), std::string(value));
  return size;
}

std::size_t Transfer::take_body(std::string_view piece) {
  if (!is_success()) {  // a page about the error: its beginning is enough
    error_bytes += piece.size();
    return error_bytes <= kErrorBodyMax ? piece.size() : 0;
  }
  if (request.sink) {
    failure = request.sink(response, std::as_bytes(std::span(piece)));
    return failure.is_ok() ? piece.size() : 0;
  }
  if (piece.size() > request.body_max - response.body.size()) {
    failure = error(StatusCode::kCorrupt, "{} sent more than {} bytes", host_of(request.url),
                    request.body_max);
    return 0;
  }
  response.body += piece;
  return piece.size();
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* transfer) {
  return static_cast<Transfer*>(transfer)->take_header({data, size});
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* transfer) {
  return static_cast<Transfer*>(transfer)->take_body({data, size});
}

int on_progress(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto* flag = static_cast<const std::atomic<bool>*>(stop);
  return flag != nullptr && flag->load() ? 1 : 0;
}

struct HeaderList {
  curl_slist* list = nullptr;
  ~HeaderList() { curl_slist_free_all(list); }
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
};

}  // namespace

std::string_view Response::header(std::string_view name) const {
  const auto at = headers.find(name);
  return at == headers.end() ? std::string_view() : std::string_view(at->second);
}

bool Response::is_passing() const {
  return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

struct Client::Connection {
  CURL* curl = curl_easy_init();
  char error[CURL_ERROR_SIZE] = {};
  const std::atomic<bool>* stop = nullptr;

  ~Connection() { curl_easy_cleanup(curl); }
  void set_up(const Limits& limits);
};

void Client::Connection::set_up(const Limits& limits) {
  QUIRE_CHECK(curl != nullptr, "libcurl gives no handle");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "quire");
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, static_cast<long>(kRedirectsMax));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, limits.connect_seconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, limits.slow_bytes_per_second);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, limits.slow_seconds);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, stop);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  // Where a company looks into TLS, its certificates are told by the variable that OpenSSL has.
  const char* certificates = std::getenv("SSL_CERT_FILE");
  if (certificates != nullptr && *certificates != '\0') {
    curl_easy_setopt(curl, CURLOPT_CAINFO, certificates);
  }
}

Client::Client(Limits limits, const std::atomic<bool>* stop)
    : limits_(limits), connection_(std::make_unique<Connection>()) {
  connection_->stop = stop;
  connection_->set_up(limits);
}

Client::~Client() = default;
Client::Client(Client&&) noexcept = default;

Result<Response> Client::send(const Request& request) {
  CURL* curl = connection_->curl;
  Transfer transfer{.request = request};
  HeaderList headers;
  if (!request.accept.empty()) headers.add("Accept: " + request.accept);
  if (!request.if_range.empty()) headers.add("If-Range: " + request.if_range);
  const bool is_secure = request.url.starts_with("https:");
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, is_secure ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.list);
  curl_easy_setopt(curl, CURLOPT_HTTPAUTH,
                   request.token.empty() ? CURLAUTH_BASIC : CURLAUTH_BEARER);
  curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER,
                   request.token.empty() ? nullptr : request.token.c_str());
  curl_easy_setopt(curl, CURLOPT_RANGE, request.range.empty() ? nullptr : request.range.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(curl, CURLOPT_NOBODY, request.is_head ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request.is_head ? 0L : 1L);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  connection_->error[0] = '\0';
  const CURLcode code = curl_easy_perform(curl);
  curl_off_t retry_after = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
  if (retry_after > 0) transfer.response.retry_after = std::chrono::seconds(retry_after);

  if (!transfer.failure.is_ok()) return transfer.failure;
  const bool is_told_error = transfer.response.status >= 400;  // its page may be cut off
  if (code == CURLE_OK || is_told_error) return std::move(transfer.response);
  const char* why = connection_->error[0] != '\0' ? connection_->error : curl_easy_strerror(code);
  return error(StatusCode::kUnavailable, "{}: {}", host_of(request.url), why);
}

// Somebody waits for this before anything else happens: fewer attempts than a long transfer has.
Result<Response> Client::send_patiently(const Request& request) {
  constexpr int kAttemptsMax = 3;
  Limits limits = limits_;
  limits.attempts_max = std::min(limits.attempts_max, kAttemptsMax);
  for (int failures = 1;; ++failures) {
    auto response = send(request);
    const bool is_passing = response.is_ok() ? response->is_passing()
                                             : response.status().code() == StatusCode::kUnavailable;
    if (!is_passing) return response;
    const auto wait = wait_before_retry(limits, failures, response.is_ok() ? &*response : nullptr);
    if (!wait) return response;
    std::this_thread::sleep_for(*wait);
  }
}

std::optional<std::chrono::milliseconds> wait_before_retry(const Limits& limits, int failures,
                                                           const Response* response) {
  constexpr int kDoublingsMax = 6;
  if (failures >= limits.attempts_max) return std::nullopt;
  std::chrono::milliseconds wait =
      limits.backoff_first * (1 << std::min(failures - 1, kDoublingsMax));
  if (response != nullptr && response->retry_after) {
    wait = std::max<std::chrono::milliseconds>(wait, *response->retry_after);
  }
  if (wait > limits.wait_max) return std::nullopt;
  return wait;
}

std::string host_of(const std::string& url) {
  const Url parsed(curl_url());
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return "the server";
  const std::string port = url_part(parsed.get(), CURLUPART_PORT);
  return url_part(parsed.get(), CURLUPART_HOST) + (port.empty() ? "" : ":" + port);
}

Result<std::string> resolve_url(const std::string& base, const std::string& relative) {
  const Url url(curl_url());
  const bool is_url = curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) == CURLUE_OK &&
                      curl_url_set(url.get(), CURLUPART_URL, relative.c_str(), 0) == CURLUE_OK;
  const std::string scheme = is_url ? url_part(url.get(), CURLUPART_SCHEME) : "";
  if (scheme != "http" && scheme != "https") {
    return error(StatusCode::kCorrupt, "not an http or https address");
  }
  return url_part(url.get(), CURLUPART_URL);
}

}  // namespace quire::net
