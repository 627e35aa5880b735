// The head of an HTTP request: the doorman sees the same in one piece and byte by byte, and what he
// lets through is read or refused.
#include "serve/http/request_head.h"

#include <fmt/format.h>

#include "serve/http/request_gate.h"
#include "target.h"
#include "targets/targets.h"

namespace quire::fuzz {
namespace {

std::string look_at(const http::RequestHead& head) {
  if (head.refusal != 0) {
    const bool is_error = head.refusal >= 400 && head.refusal < 600 && !head.reason.empty();
    return is_error ? "" : fmt::format("refused with {} '{}'", head.refusal, head.reason);
  }
  if (head.is_chunked && head.body_size != 0) return "chunked, and of a size";
  for (const char byte : head.request.path) {
    if (static_cast<unsigned char>(byte) < 0x20) return "a control character in the path";
  }
  if (head.request.path.find("/../") != std::string::npos) return "a path that climbs";
  for (const http::Header& header : head.request.headers) {
    for (const char byte : header.name) {
      if (byte >= 'A' && byte <= 'Z') return "a name of a field in capitals";
    }
  }
  (void)head.request.query_value("limit");
  return head.request.id.empty() ? "no x-request-id" : "";
}

}  // namespace

std::string request_head(std::string_view input) {
  using Verdict = http::RequestGate::Verdict;
  http::Limits limits;
  limits.headers_max = 8;
  limits.head_max = 2048;
  limits.request_line_max = 512;
  http::RequestGate whole(limits), pieces(limits);
  const Verdict verdict = whole.look(input);
  Verdict piecewise = Verdict::kMore;
  for (std::size_t size = 0; size <= input.size() && piecewise == Verdict::kMore; ++size) {
    piecewise = pieces.look(input.substr(0, size));
  }
  if (verdict != piecewise || whole.status() != pieces.status()) {
    return fmt::format("in one piece {} {}, byte by byte {} {}", static_cast<int>(verdict),
                       whole.status(), static_cast<int>(piecewise), pieces.status());
  }
  if (verdict != Verdict::kComplete) return "";
  if (whole.head_size() != pieces.head_size()) return "heads of two sizes";
  return look_at(http::parse_head(input.substr(0, whole.head_size()), limits));
}

}  // namespace quire::fuzz
