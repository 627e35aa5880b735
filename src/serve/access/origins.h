// Origins: which pages of other sites may use this server from a browser (CORS). Without a list
// none may: no header of CORS is sent, and what such a page could send unasked, a POST, is refused
// by its Origin. With a list (--allowed-origins) its pages are asked and answered as browsers want
// it: without cookies, with the headers that the clients of our protocols send and read. Programs
// of this machine (pages of localhost, desktop applications) may use Ollama's paths, as there.
// Immutable; any thread. Used by front_door.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "serve/http/message.h"

namespace quire {

class Origins {
 public:
  Origins() = default;  // none but our own

  // "https://chat.example.com", "http://localhost:5173", "null", or "*": every one. Also the form
  // of a list in JSON. kInvalidArgument: that is no origin.
  static Result<Origins> from(const std::vector<std::string>& allowed);

  // The request would change something, and comes from a page that is not ours and not allowed.
  bool is_foreign_change(const http::Request& head) const;

  // A browser asks whether it may send something; such questions are answered only if there is a
  // list, or for who may anyway.
  bool is_preflight(const http::Request& head) const;
  // Yes, for `methods` ("GET, HEAD, POST"), or 403. REQUIRES: is_preflight(head).
  http::Response answer_preflight(const http::Request& head, std::string_view methods) const;

  // What belongs to the answer of every other request.
  std::vector<http::Header> reply_headers(const http::Request& head) const;

 private:
  bool is_allowed(std::string_view origin, const http::Request& head) const;
  bool is_known() const { return allows_all_ || !allowed_.empty(); }

  std::vector<std::string> allowed_;  // lower case
  bool allows_all_ = false;
};

}  // namespace quire
