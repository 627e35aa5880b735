#include "net/transfer.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/check.h"
#include "net/url.h"

namespace quire::net {
namespace {

constexpr int kRedirectsMax = 5;
constexpr int kHeaderLinesMax = 1000;
constexpr std::size_t kHeaderBytesMax = 4096;
constexpr std::size_t kErrorBodyMax = std::size_t{64} << 10;

// What is coming in, as the callbacks of curl see it. They may not throw.
struct Incoming {
  const Request* request = nullptr;
  Response response;
  Status failure;
  int header_lines = 0;
  std::uint64_t upload_at = 0;

  std::size_t take_header(std::string_view line);
  std::size_t take_body(std::string_view piece);
};

// A new status line begins the headers of a new response: that of a redirect's target.
std::size_t Incoming::take_header(std::string_view line) {
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

std::size_t Incoming::take_body(std::string_view piece) {
  if (!response.is_success()) {  // a page about the error: its beginning is enough
    if (piece.size() > kErrorBodyMax - response.body.size()) return 0;
    response.body += piece;
    return piece.size();
  }
  if (request->sink) {
    failure = request->sink(response, std::as_bytes(std::span(piece)));
    return failure.is_ok() ? piece.size() : 0;
  }
  if (piece.size() > request->body_max - response.body.size()) {
    failure = error(StatusCode::kCorrupt, "{} sent more than {} bytes", host_of(request->url),
                    request->body_max);
    return 0;
  }
  response.body += piece;
  return piece.size();
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* incoming) {
  return static_cast<Incoming*>(incoming)->take_header({data, size});
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* incoming) {
  return static_cast<Incoming*>(incoming)->take_body({data, size});
}

// What is sent: the next bytes of it.
std::size_t on_upload(char* data, std::size_t size, std::size_t count, void* incoming) {
  auto& state = *static_cast<Incoming*>(incoming);
  const Upload& upload = *state.request->upload;
  const std::uint64_t bytes = std::min<std::uint64_t>(size * count,
                                                      upload.size - state.upload_at);
  if (bytes == 0) return 0;
  state.failure = upload.read(state.upload_at, std::as_writable_bytes(std::span(data, bytes)));
  if (!state.failure.is_ok()) return CURL_READFUNC_ABORT;
  state.upload_at += bytes;
  return bytes;
}

// A connection that was kept and turned out to be closed has them sent once more.
int on_seek(void* incoming, curl_off_t offset, int origin) {
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Incoming*>(incoming)->upload_at = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int on_progress(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto* flag = static_cast<const std::atomic<bool>*>(stop);
  return flag != nullptr && flag->load() ? 1 : 0;
}

}  // namespace

struct Transfer::State {
  CURL* curl = curl_easy_init();
  char error[CURL_ERROR_SIZE] = {};
  curl_slist* headers = nullptr;
  Incoming incoming;
  CURLcode code = CURLE_OK;  // of the last outcome

  ~State() {
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
  }
  void set_headers(const Request& request);
  void set_upload(const Upload& upload);
};

void Transfer::State::set_headers(const Request& request) {
  curl_slist_free_all(headers);
  headers = nullptr;
  const auto add = [this](const std::string& line) {
    headers = curl_slist_append(headers, line.c_str());
  };
  if (!request.accept.empty()) add("Accept: " + request.accept);
  if (!request.if_range.empty()) add("If-Range: " + request.if_range);
  if (request.json) {
    add("Content-Type: application/json");
    add("Expect:");  // no pause before a large body
  }
  if (request.upload) {
    if (!request.upload->type.empty()) add("Content-Type: " + request.upload->type);
    add("Expect:");
  }
  for (const std::string& line : request.headers) add(line);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
}

void Transfer::State::set_upload(const Upload& upload) {
  QUIRE_CHECK(upload.size == 0 || upload.read, "nobody tells the bytes of an upload");
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, upload.method.c_str());
  curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(upload.size));
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
}

Transfer::Transfer(const Limits& limits, const std::atomic<bool>* stop)
    : state_(std::make_unique<State>()) {
  CURL* curl = state_->curl;
  QUIRE_CHECK(curl != nullptr, "libcurl gives no handle");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, state_->error);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "quire");
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, static_cast<long>(kRedirectsMax));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, limits.connect_seconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, limits.slow_bytes_per_second);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, limits.slow_seconds);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &state_->incoming);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &state_->incoming);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
  curl_easy_setopt(curl, CURLOPT_READDATA, &state_->incoming);
  curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
  curl_easy_setopt(curl, CURLOPT_SEEKDATA, &state_->incoming);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, stop);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  // Where a company looks into TLS, its certificates are told by the variable that OpenSSL has.
  const char* certificates = std::getenv("SSL_CERT_FILE");
  if (certificates != nullptr && *certificates != '\0') {
    curl_easy_setopt(curl, CURLOPT_CAINFO, certificates);
  }
}

Transfer::~Transfer() = default;

void Transfer::begin(const Request& request) {
  CURL* curl = state_->curl;
  const bool is_secure = request.url.starts_with("https:");
  const auto text_or_none = [](const std::string& text) {
    return text.empty() ? nullptr : text.c_str();
  };
  state_->incoming = {.request = &request};
  state_->error[0] = '\0';
  state_->set_headers(request);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, is_secure ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_HTTPAUTH,
                   request.token.empty() ? CURLAUTH_BASIC : CURLAUTH_BEARER);
  curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, text_or_none(request.token));
  curl_easy_setopt(curl, CURLOPT_RANGE, text_or_none(request.range));
  curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, nullptr);
  curl_easy_setopt(curl, CURLOPT_NOBODY, request.is_head ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request.is_head ? 0L : 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.time_max.count()));
  if (request.json) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.json->size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.json->c_str());
  }
  if (request.upload) state_->set_upload(*request.upload);
}

Result<Response> Transfer::outcome(int code) {
  Incoming& incoming = state_->incoming;
  QUIRE_CHECK(incoming.request != nullptr, "an outcome is asked of a transfer that never began");
  state_->code = static_cast<CURLcode>(code);
  curl_off_t retry_after = 0;
  curl_easy_getinfo(state_->curl, CURLINFO_RETRY_AFTER, &retry_after);
  if (retry_after > 0) incoming.response.retry_after = std::chrono::seconds(retry_after);
  if (!incoming.failure.is_ok()) return incoming.failure;
  // Its page may be cut off; where an upload is sent elsewhere, its own body is not wanted.
  const int told_from = incoming.request->upload ? 300 : 400;
  const bool is_told_error = incoming.response.status >= told_from;
  if (code == CURLE_OK || is_told_error) return std::move(incoming.response);
  const char* why = state_->error[0] != '\0' ? state_->error
                                             : failure();
  return error(StatusCode::kUnavailable, "{}: {}", host_of(incoming.request->url), why);
}

const char* Transfer::failure() const { return curl_easy_strerror(state_->code); }

void* Transfer::handle() const { return state_->curl; }

}  // namespace quire::net
