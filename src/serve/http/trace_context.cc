#include "serve/http/trace_context.h"

#include <algorithm>

namespace quire::http {
namespace {

// version-trace-parent-flags, in characters.
constexpr std::size_t kVersion = 2, kTrace = 32, kParent = 16, kFlags = 2;
constexpr std::size_t kSize = kVersion + 1 + kTrace + 1 + kParent + 1 + kFlags;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

bool is_zero(std::string_view text) { return text.find_first_not_of('0') == text.npos; }

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) {
  if (text.size() < kSize) return std::nullopt;
  const std::string_view version = text.substr(0, kVersion);
  const std::string_view trace = text.substr(kVersion + 1, kTrace);
  const std::string_view parent = text.substr(kVersion + kTrace + 2, kParent);
  const std::string_view flags = text.substr(kSize - kFlags, kFlags);
  const bool has_dashes = text[kVersion] == '-' && text[kVersion + 1 + kTrace] == '-' &&
                          text[kSize - kFlags - 1] == '-';
  // Later versions may say more behind it.
  const bool ends = text.size() == kSize || (version != "00" && text[kSize] == '-');
  const bool is_good = has_dashes && ends && version != "ff" && is_hex(version) && is_hex(trace) &&
                       is_hex(parent) && is_hex(flags) && !is_zero(trace) && !is_zero(parent);
  if (!is_good) return std::nullopt;
  const char low = flags.back();
  const int digit = low <= '9' ? low - '0' : low - 'a' + 10;
  return TraceParent{.trace_id = std::string(trace), .parent_id = std::string(parent),
                     .is_sampled = digit % 2 == 1};
}

std::optional<TraceParent> trace_parent_of(const Request& request) {
  if (request.count("traceparent") != 1) return std::nullopt;
  return parse_traceparent(*request.find("traceparent"));
}

// Whoever forwards a state keeps at least 512 characters of it; a longer one is dropped whole.
std::string trace_state_of(const Request& request) {
  constexpr std::size_t kStateMax = 512;
  std::string state;
  for (const Header& header : request.headers) {
    if (header.name != "tracestate" || header.value.empty()) continue;
    if (!state.empty()) state += ',';
    state += header.value;
  }
  const bool is_plain = std::all_of(state.begin(), state.end(), [](char c) {
    return (c >= ' ' && c <= '~') || c == '\t';
  });
  return is_plain && state.size() <= kStateMax ? state : std::string();
}

}  // namespace quire::http
