// Request and Response: one exchange as plain values, and the limits of what a client may
// send. Parsed by request_head and connection, filled by routes and dialects.
// Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::http {

// What one client can make us hold or wait for. Nothing is unlimited.
struct Limits {
  std::size_t request_line_max = 8 * 1024;    // bytes; more: 414
  std::size_t head_max = 32 * 1024;           // bytes; more: 431
  std::size_t headers_max = 100;              // fields; more: 431
  std::size_t body_max = 4 * 1024 * 1024;     // bytes; more: 413
  std::size_t form_max = 64 * 1024 * 1024;    // bytes of a body that is a form: a file
  std::uint64_t file_max = std::uint64_t{1} << 40;  // bytes of a body that goes to a file
  std::size_t large_bodies_max = 2;           // bodies beyond body_max at once; more: 503
  std::size_t chunks_max = 65'536;            // of one body; more: 413
  std::size_t trailers_max = 8 * 1024;        // bytes; more: 431
  std::size_t output_max = 256 * 1024;        // bytes of a stream that the client has not taken
  std::size_t connections_max = 10'000;       // more: 503

  std::chrono::milliseconds handshake_timeout{10'000};  // of TLS, all of it
  std::chrono::milliseconds head_timeout{10'000};
  std::chrono::milliseconds body_timeout{20'000};   // for every 16 KiB
  std::chrono::milliseconds idle_timeout{75'000};   // between requests
  std::chrono::milliseconds write_timeout{30'000};  // without progress
  std::chrono::milliseconds linger_timeout{1'000};  // for unread input before we close
};

struct Header {
  std::string name;  // of a request: lower case
  std::string value;
};

// Where a body goes that is too large to be held, piece by piece as it arrives. Gone with its
// request: what was not taken from it by then is dropped.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // May take time: called on a thread that waits for nobody else, one piece after the other. False:
  // no more can be kept.
  virtual bool write(std::string_view piece) = 0;
};

struct Request {
  std::string method;  // as sent
  std::string path;    // percent-decoded, no "." or "..", valid UTF-8 without controls
  std::string query;   // what follows the "?", as sent
  std::vector<Header> headers;
  std::string body;
  std::shared_ptr<BodySink> sink;  // has the body in its place; null: it is above
  std::string id;      // the client's x-request-id if it is harmless, else one of ours
  std::vector<Header> reply_headers;  // of every answer, beside its own
  bool is_http_10 = false;
  bool keeps_alive = true;

  // The value of the first field of that (lower-case) name.
  const std::string* find(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  // A query parameter, decoded: of "?limit=2&after=a%20b" after is "a b"; the first of several.
  std::optional<std::string> query_value(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<Header> headers;
  std::string body;
};

// False: the head says what the body would be, and the body stays here.
bool has_body(std::string_view method, int status);

// The bytes before the body. `size`: of the body; nothing: chunked.
std::string response_head(const Response& response, const Request& request,
                          std::optional<std::size_t> size, bool closes);

// One chunk of a chunked body; the empty chunk ends it.
void append_chunk(std::string_view bytes, std::string& out);

}  // namespace quire::http
