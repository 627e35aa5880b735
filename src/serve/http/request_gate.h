// RequestGate: the doorman before the parser. It looks at the raw bytes of a request's head as they
// arrive and lets through only what every HTTP/1.1 implementation reads in the same way: CRLF line
// ends, no folding, no blanks around names, no control characters, bounded lines and counts. What
// two parsers could understand differently is refused at once, which closes the ways of request
// smuggling and lets noise be turned away at its first byte.
// One request; the I/O thread. Used by connection.
#pragma once

#include <cstddef>
#include <string_view>

#include "serve/http/message.h"

namespace quire::http {

class RequestGate {
 public:
  explicit RequestGate(const Limits& limits) : limits_(&limits) {}

  enum class Verdict { kMore, kComplete, kRefused };

  // `bytes` is everything received for this request so far; earlier bytes do not change.
  Verdict look(std::string_view bytes);

  std::size_t head_size() const { return line_begin_; }  // of a complete head, with the empty line
  int status() const { return status_; }                 // of a refusal
  std::string_view reason() const { return reason_; }

 private:
  Verdict refuse(int status, std::string_view reason);
  bool is_over_limit(std::string_view bytes);
  bool is_good_byte(char c, std::size_t column);
  bool is_good_line(std::string_view line);
  bool is_good_request_line(std::string_view line);
  bool is_good_field(std::string_view line);

  const Limits* limits_;
  std::size_t line_begin_ = 0;  // of the line that is being looked at
  std::size_t seen_ = 0;        // bytes looked at
  std::size_t lines_ = 0;       // complete ones
  bool is_past_method_ = false;
  int status_ = 0;
  std::string_view reason_;
};

bool is_http_token(std::string_view text);  // RFC 9110 section 5.6.2; not empty

}  // namespace quire::http
