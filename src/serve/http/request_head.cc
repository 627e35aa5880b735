// Fields are taken apart by Beast's parser. It comes after the gate, so the two would have to be
// wrong in the same way for an ambiguous head to get through.
#include "serve/http/request_head.h"

#include <algorithm>
#include <array>
#include <random>

#include "base/text/ascii.h"
#include "base/text/utf8.h"
#include "serve/http/asio.h"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <fmt/format.h>

namespace quire::http {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

// A host name, an address, a bracketed IPv6 address, with or without a port.
bool is_good_host(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("-._~:[]").find(c) != std::string_view::npos;
  });
}

std::string request_id(const Request& request) {
  constexpr std::size_t kIdMax = 128;
  const std::string* id = request.find("x-request-id");
  const auto is_harmless = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("-._:").find(c) != std::string_view::npos;
  };
  if (id != nullptr && !id->empty() && id->size() <= kIdMax &&
      std::all_of(id->begin(), id->end(), is_harmless)) {
    return *id;
  }
  return fresh_request_id();
}

bool refuse(RequestHead& head, int status, std::string_view reason) {
  head.refusal = status;
  head.reason = reason;
  return false;
}

bool read_framing(RequestHead& head) {
  const Request& request = head.request;
  const std::size_t codings = request.count("transfer-encoding");
  const std::size_t lengths = request.count("content-length");
  if (codings + lengths > 1) return refuse(head, 400, "the body's length is given twice");
  if (codings == 1) {
    if (request.is_http_10) return refuse(head, 400, "HTTP/1.0 knows no transfer-encoding");
    const std::string coding = lower_ascii(*request.find("transfer-encoding"));
    const std::size_t comma = coding.rfind(',');
    const std::size_t at = std::min(coding.find_first_not_of(" \t", comma + 1), coding.size());
    const std::string last = coding.substr(at);
    // Without chunks nobody knows where the body ends (RFC 9112, 6.3).
    if (last != "chunked") return refuse(head, 400, "the last transfer-encoding is not 'chunked'");
    if (coding != "chunked") return refuse(head, 501, "the only transfer-encoding is 'chunked'");
    head.is_chunked = true;
  }
  if (lengths == 1) {
    const std::string& text = *request.find("content-length");
    constexpr std::size_t kDigitsMax = 18;
    if (text.empty() || text.size() > kDigitsMax ||
        !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      return refuse(head, 400, "content-length is not a number of bytes");
    }
    for (const char c : text) head.body_size = head.body_size * 10 + static_cast<unsigned>(c - '0');
  }
  return true;
}

bool read_expectations(RequestHead& head) {
  const Request& request = head.request;
  const std::size_t hosts = request.count("host");
  if (hosts > 1 || (hosts == 0 && !request.is_http_10)) {
    return refuse(head, 400, "a request names its host once");
  }
  if (hosts == 1 && !is_good_host(*request.find("host"))) {
    return refuse(head, 400, "the host field is not a host");
  }
  if (const std::string* expect = request.find("expect")) {
    if (lower_ascii(*expect) != "100-continue") return refuse(head, 417, "the only expectation is "
                                                                   "100-continue");
    head.expects_continue = !request.is_http_10;
  }
  if (const std::string* field = request.find("content-encoding")) {
    const auto coding = content_coding(*field);
    if (!coding || request.count("content-encoding") > 1) {
      return refuse(head, 415, "bodies come plain or compressed once, by gzip or zstd");
    }
    head.coding = *coding;
  }
  return true;
}

// "http://host/path" -> "/path": the absolute form must be accepted, and its host is the one that
// counts (RFC 9112, 3.2.2).
bool take_authority(std::string& target, RequestHead& head) {
  const std::size_t colon = target.find("://");
  if (target.starts_with('/') || colon == std::string::npos) return true;
  const std::string scheme = lower_ascii(target.substr(0, colon));
  if (scheme == "https") return refuse(head, 421, "an https resource over a plain connection");
  if (scheme != "http") return refuse(head, 400, "the request target's scheme is not http");
  const std::size_t begin = colon + 3;
  const std::size_t end = std::min(target.find_first_of("/?#", begin), target.size());
  const std::string authority = target.substr(begin, end - begin);
  if (authority.empty() || authority.starts_with(':')) {
    return refuse(head, 400, "the request target names no host");
  }
  target.erase(0, end);
  if (!target.starts_with('/')) target.insert(0, "/");
  std::vector<Header>& headers = head.request.headers;
  const bool has_host = head.request.find("host") != nullptr;
  if (!has_host && head.request.is_http_10) headers.push_back({"host", authority});
  for (Header& header : headers) {
    if (header.name == "host") header.value = authority;
  }
  return true;
}

// Empty lines before a request are passed over, and a later minor version is read as the last one
// that we know (RFC 9112, 2.2 and 2.3).
std::string readable_head(std::string_view bytes) {
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  std::string head(bytes);
  const std::size_t end = head.find("\r\n");
  const bool has_minor = end != std::string::npos && end >= 1 && head[end - 1] >= '2' &&
                         head[end - 1] <= '9';
  if (has_minor) head[end - 1] = '1';
  return head;
}

}  // namespace

std::string fresh_request_id() {
  static thread_local std::mt19937_64 names{std::random_device{}()};
  return fmt::format("req_{:016x}", names());
}

bool decode_target(std::string_view target, std::string& path) {
  if (!target.starts_with('/') || target.find('#') != std::string_view::npos) return false;
  const std::size_t query = target.find('?');
  path.clear();
  for (std::size_t i = 0; i < target.size(); ++i) {
    char c = target[i];
    if (c == '%') {
      if (i + 2 >= target.size()) return false;
      const int high = hex_value(target[i + 1]), low = hex_value(target[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (i >= query) continue;  // of the query only its well-formedness matters
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
    path += c;
  }
  if (first_invalid_utf8(path)) return false;
  const std::string framed = path + "/";
  return framed.find("/./") == std::string::npos && framed.find("/../") == std::string::npos;
}

RequestHead parse_head(std::string_view raw, const Limits& limits) {
  const std::string bytes = readable_head(raw);
  RequestHead head;
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits.head_max + 1));
  parser.body_limit(boost::none);
  parser.eager(false);
  beast::error_code failure;
  parser.put(asio::buffer(bytes.data(), bytes.size()), failure);
  if (failure || !parser.is_header_done()) {
    refuse(head, 400, "the head is not well formed");
    return head;
  }
  const auto& message = parser.get();
  Request& request = head.request;
  request.method = std::string(message.method_string());
  request.is_http_10 = message.version() == 10;
  request.keeps_alive = message.keep_alive();
  for (const auto& field : message) {
    request.headers.push_back({lower_ascii(std::string(field.name_string())),
                               std::string(field.value())});
  }
  request.id = request_id(request);
  std::string target(message.target());
  if (!take_authority(target, head)) return head;
  if (target == "*" && request.method == "OPTIONS") {  // the server as a whole
    request.path = target;
  } else if (!decode_target(target, request.path)) {
    refuse(head, 400, "the request target is not an absolute path that we read");
    return head;
  }
  const std::size_t query = target.find('?');
  if (query != std::string::npos) request.query = target.substr(query + 1);
  if (read_framing(head)) read_expectations(head);
  return head;
}

}  // namespace quire::http
