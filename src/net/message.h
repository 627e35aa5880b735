// Request, Response and Limits: one exchange with another server as plain values.
// Everything is bounded: headers, bodies, the time to connect, and how slowly a server may send.
// Any thread. Used by Client and Crowd and by whoever asks another server.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace quire::net {

struct Limits {
  long connect_seconds = 15;
  long slow_bytes_per_second = 1024;  // slower than this (0: nothing is too slow) ...
  long slow_seconds = 30;             // ... for so long is a failure
  int attempts_max = 6;               // that bring nothing, in a row
  std::chrono::milliseconds backoff_first{500};  // doubles with each
  std::chrono::seconds wait_max{120};            // a server that asks for more is believed, later
  const std::atomic<bool>* stop = nullptr;  // true: whoever fetches something large gives up
};

struct Response {
  int status = 0;
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  std::string body;  // unless a sink took it; of an error the beginning
  std::optional<std::chrono::seconds> retry_after;

  std::string_view header(std::string_view name) const;
  bool is_success() const { return status >= 200 && status < 300; }
  // Worth another try: too many requests, or the server's own trouble.
  bool is_passing() const;
};

// What is sent with a request: asked for piece by piece, perhaps again from an earlier place.
struct Upload {
  std::string method = "PUT";
  std::string type;         // of the content; empty: not told
  std::uint64_t size = 0;   // bytes
  // Fills `into`, which lies within the size, with what stands at `offset`; an error ends the
  // transfer. Null where the size is 0.
  std::function<Status(std::uint64_t offset, std::span<std::byte> into)> read;
};

struct Request {
  // Gets the body of a 2xx response, piece by piece; an error ends the transfer.
  using Sink = std::function<Status(const Response&, std::span<const std::byte>)>;

  std::string url;
  std::string token;     // "Authorization: Bearer ..."; empty: none
  std::string accept;    // of the answer's type; empty: any
  std::string range;     // "0-1023"; empty: all
  std::string if_range;  // the tag that the range must be of
  std::vector<std::string> headers;  // further ones, "Name: value"
  std::optional<std::string> json;  // is posted; none: the request is a GET
  std::optional<Upload> upload;     // is sent in its place; redirects are told, not followed
  bool is_head = false;             // headers only, and those of a redirect itself
  std::size_t body_max = std::size_t{1} << 20;  // without a sink
  std::chrono::milliseconds time_max{0};        // of the whole exchange; 0: as the Limits say
  Sink sink;
};

}  // namespace quire::net
