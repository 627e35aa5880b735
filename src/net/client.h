// Client: one connection to the outside over libcurl, used by one thread at a time. Redirects
// are followed (never from https to http), and a token goes to the host that it was meant for, not
// to where that redirects. Everything is bounded: headers, bodies, the time to connect, and how
// slowly a server may send. Failures of the transport are kUnavailable; what a server answers,
// whatever its status, is a response.
// Used by hub_client, python_index and range_fetch.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace quire::net {

struct Limits {
  long connect_seconds = 15;
  long slow_bytes_per_second = 1024;  // slower than this ...
  long slow_seconds = 30;             // ... for so long is a failure
  int attempts_max = 6;               // that bring nothing, in a row
  std::chrono::milliseconds backoff_first{500};  // doubles with each
  std::chrono::seconds wait_max{120};            // a server that asks for more is believed, later
};

struct Response {
  int status = 0;
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  std::string body;                                         // unless a sink took it
  std::optional<std::chrono::seconds> retry_after;

  std::string_view header(std::string_view name) const;
  // Worth another try: too many requests, or the server's own trouble.
  bool is_passing() const;
};

struct Request {
  // Gets the body of a 2xx response, piece by piece; an error ends the transfer.
  using Sink = std::function<Status(const Response&, std::span<const std::byte>)>;

  std::string url;
  std::string token;     // "Authorization: Bearer ..."; empty: none
  std::string accept;    // of the answer's type; empty: any
  std::string range;     // "0-1023"; empty: all
  std::string if_range;  // the tag that the range must be of
  bool is_head = false;  // headers only, and those of a redirect itself
  std::size_t body_max = std::size_t{1} << 20;  // without a sink
  Sink sink;
};

class Client {
 public:
  // `stop`, if given, ends what is under way when it becomes true.
  explicit Client(Limits limits, const std::atomic<bool>* stop = nullptr);
  ~Client();
  Client(Client&&) noexcept;

  Result<Response> send(const Request& request);

  // The same, again after failures that may pass: for small answers.
  Result<Response> send_patiently(const Request& request);

 private:
  struct Connection;
  Limits limits_;
  std::unique_ptr<Connection> connection_;
};

// How long to wait before the next attempt; nothing when it is no use: the attempts are used up or
// the server asks for more than wait_max. `failures` counts from 1.
std::optional<std::chrono::milliseconds> wait_before_retry(const Limits& limits, int failures,
                                                           const Response* response);

// "https://host" of a URL, without a password that stands in it: for messages.
std::string host_of(const std::string& url);

// `relative` (a path or a whole URL) as seen from `base`; kCorrupt if that is no http(s) URL.
Result<std::string> resolve_url(const std::string& base, const std::string& relative);

}  // namespace quire::net
