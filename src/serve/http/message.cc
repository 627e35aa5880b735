#include "serve/http/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/text/ascii.h"
#include "base/clock.h"

namespace quire::http {
namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 424: return "Failed Dependency";
    case 429: return "Too Many Requests";
    case 421: return "Misdirected Request";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    case 529: return "Site Is Overloaded";
    default: return "Unknown";
  }
}

// Of a query: "a%20b+c" is "a b c"; what is no escape stays as it is.
std::string form_decoded(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '+', ' ');
  return percent_decoded(out);
}

// "Sun, 06 Nov 1994 08:49:37 GMT", as every answer of a server with a clock has it.
std::string date_text(std::int64_t unix_seconds) {
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t moment = unix_seconds;
  std::tm utc{};
  ::gmtime_r(&moment, &utc);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                     kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                     kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
}

}  // namespace

const std::string* Request::find(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [&](const Header& header) { return header.name == name; });
  return found == headers.end() ? nullptr : &found->value;
}

std::size_t Request::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [&](const Header& header) { return header.name == name; }));
}

std::optional<std::string> Request::query_value(std::string_view name) const {
  for (std::string_view rest = query; !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::size_t equals = pair.find('=');
    if (form_decoded(pair.substr(0, equals)) != name) continue;
    return equals == pair.npos ? std::string() : form_decoded(pair.substr(equals + 1));
  }
  return std::nullopt;
}

bool has_body(std::string_view method, int status) {
  return method != "HEAD" && status != 304 && status != 204;
}

std::string response_head(const Response& response, const Request& request,
                          std::optional<std::size_t> size, bool closes) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status,
                                 reason_phrase(response.status));
  const bool has_content = response.status != 204;  // of which nothing may be said then
  if (has_content) head += fmt::format("content-type: {}\r\n", response.content_type);
  head += fmt::format("date: {}\r\n", date_text(SteadyClock::unix_seconds()));
  for (const Header& header : response.headers) {
    head += fmt::format("{}: {}\r\n", header.name, header.value);
  }
  for (const Header& header : request.reply_headers) {
    head += fmt::format("{}: {}\r\n", header.name, header.value);
  }
  if (!request.id.empty()) head += fmt::format("x-request-id: {}\r\n", request.id);
  if (!has_content) {
    // neither a length nor chunks (RFC 9110, 8.6)
  } else if (size) {
    head += fmt::format("content-length: {}\r\n", *size);
  } else if (!request.is_http_10) {
    head += "transfer-encoding: chunked\r\n";
  }
  head += closes ? "connection: close\r\n\r\n" : "connection: keep-alive\r\n\r\n";
  return head;
}

void append_chunk(std::string_view bytes, std::string& out) {
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
  out += bytes;
  out += "\r\n";
}

}  // namespace quire::http
