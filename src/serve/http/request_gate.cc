#include "serve/http/request_gate.h"

#include <algorithm>

#include "base/text/ascii.h"

namespace quire::http {
namespace {

constexpr std::size_t kMethodMax = 32;  // bytes

bool is_token_char(char c) {
  if (is_letter_or_digit(c)) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

bool is_http_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

RequestGate::Verdict RequestGate::refuse(int status, std::string_view reason) {
  status_ = status;
  reason_ = reason;
  return Verdict::kRefused;
}

RequestGate::Verdict RequestGate::look(std::string_view bytes) {
  for (; seen_ < bytes.size(); ++seen_) {
    const char c = bytes[seen_];
    if (c == '\n') {
      if (seen_ == line_begin_ || bytes[seen_ - 1] != '\r') {
        return refuse(400, "a line ends in a bare line feed");
      }
      const std::string_view line = bytes.substr(line_begin_, seen_ - 1 - line_begin_);
      line_begin_ = seen_ + 1;
      if (line.empty() && lines_ > 0) return Verdict::kComplete;
      if (line.empty()) continue;  // before a request (RFC 9112, 2.2)
      if (!is_good_line(line)) return Verdict::kRefused;
      ++lines_;
    } else if (seen_ > line_begin_ && bytes[seen_ - 1] == '\r') {
      return refuse(400, "a carriage return inside a line");
    } else if (c != '\r' && !is_good_byte(c, seen_ - line_begin_)) {
      return Verdict::kRefused;
    }
    if (is_over_limit(bytes)) return Verdict::kRefused;
  }
  return Verdict::kMore;
}

bool RequestGate::is_over_limit(std::string_view) {
  if (lines_ == 0 && seen_ >= limits_->request_line_max) {
    refuse(414, "the request line is too long");
  } else if (seen_ >= limits_->head_max) {
    refuse(431, "the header section is too long");
  } else if (lines_ > limits_->headers_max + 1) {
    refuse(431, "too many header fields");
  }
  return status_ != 0;
}

// What can be told from one byte is told before the line is complete.
bool RequestGate::is_good_byte(char c, std::size_t column) {
  const auto byte = static_cast<unsigned char>(c);
  if (column > 0 && c == ' ') is_past_method_ = true;
  if (!is_past_method_ && (!is_token_char(c) || column >= kMethodMax)) {
    refuse(400, "this is no HTTP request");
  } else if (column == 0 && !is_token_char(c)) {
    refuse(400, "a header line does not start with a name");
  } else if (byte == 0x7F || (byte < 0x20 && c != '\t')) {
    refuse(400, "a control character in the head");
  } else if (lines_ == 0 && (byte >= 0x80 || c == '\t')) {
    refuse(400, "the request line is not plain ASCII");
  }
  return status_ == 0;
}

bool RequestGate::is_good_line(std::string_view line) {
  return lines_ == 0 ? is_good_request_line(line) : is_good_field(line);
}

bool RequestGate::is_good_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first ||
      line.find(' ', first + 1) != last ||
      !is_http_token(line.substr(0, first)) || last == first + 1) {
    refuse(400, "the request line is not 'METHOD target HTTP/1.1'");
    return false;
  }
  const std::string_view version = line.substr(last + 1);
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.' ||
      !is_digit(version[5]) || !is_digit(version[7])) {
    refuse(400, "the request line does not end in an HTTP version");
    return false;
  }
  if (!version.starts_with("HTTP/1.")) {  // a later minor version is read as 1.1
    refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return false;
  }
  return true;
}

bool RequestGate::is_good_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_http_token(line.substr(0, colon))) {
    refuse(400, "a header line is not 'name: value'");
    return false;
  }
  return true;
}

}  // namespace quire::http
