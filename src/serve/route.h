// Route: one row of a dialect's table: method, pattern, what the body must be, who may ask, and the
// function that answers. Dialect: a protocol as a value: its routes, how it tells errors, where its
// clients put their key. Adding a protocol is a folder in dialects/ and a row in dialects/all.cc.
// Patterns: "/v1/responses/{id}/cancel"; a part {name} is one segment, {name...} one or more of
// them (a model's name may have slashes); what follows is matched from the end.
// Plain values; any thread. Used by front_door and dialects.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "serve/call.h"
#include "serve/http/exchange.h"

namespace quire {

enum class BodyKind : std::uint8_t {
  kNone,       // not read
  kJson,       // Content-Type must say so, which no page of another site can send unasked
  kLooseJson,  // JSON, whatever Content-Type says, as this protocol's own server reads it
  kForm,       // multipart/form-data
  kFile,       // bytes that go where Endpoint::sink says
};

enum class Access : std::uint8_t {
  kOpen,
  kKeyed,     // asks for an API key, if keys are set
  kOperator,  // so, and only where the operator has opened such routes: they disturb everybody
};

// One of three functions (beside `late`, `parse` is for the document), and what that says of it.
struct Endpoint {
  // At once, on the I/O thread: must not wait for anything.
  http::Response (*quick)(const DialectContext& context, const http::Request& request) = nullptr;
  // On the I/O thread, which gives the exchange away.
  void (*late)(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) = nullptr;
  // Through the service, on a worker thread: may take time, and touches nothing but its arguments.
  Parsed<Call> (*parse)(const DialectContext& context, const http::Request& request) = nullptr;
  std::string_view summary = {};
  std::string_view query = {};  // names of the query's parameters: "after,limit"
  std::string_view types = "application/json";  // of its answers, parted by commas; errors are JSON
  // Of a file: on the I/O thread, before the body arrives; must not wait for anything. Null, or
  // none: the body is held, as far as it is small.
  std::shared_ptr<http::BodySink> (*sink)(const DialectContext& context,
                                          const http::Request& head) = nullptr;
};

struct Route {
  std::string_view method;
  std::string_view pattern;
  BodyKind body;
  Access access;
  Endpoint endpoint;
  std::string_view needs_header = {};  // for a path that two protocols share: a request with this
};

struct ReplyFacts {
  std::string_view request_id;
  Nanos elapsed{0};  // since the request arrived
};

struct Dialect {
  std::string_view name;
  std::span<const Route> routes;
  std::string_view error_prefix;  // errors of unknown paths that begin so are told by this dialect;
                                  // of several the one with the longest prefix
  std::string_view error_header = {};  // or, of any path, by the one whose header is there
  bool takes_x_api_key = false;   // beside a bearer token
  http::Response (*render_error)(const ApiError& error, const http::Request& request);
  // What belongs to every answer's head. Null: nothing.
  void (*complete_head)(const ReplyFacts& facts, http::Response& head) = nullptr;
};

// Whether `path` fits; then `params` has its named parts.
bool fits_pattern(std::string_view pattern, std::string_view path, PathParams& params);

}  // namespace quire
