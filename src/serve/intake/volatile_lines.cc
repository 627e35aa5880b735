#include "serve/intake/volatile_lines.h"

#include <algorithm>

namespace quire {
namespace {

struct Pattern {
  std::string_view name;
  std::string_view begins_with;
};

// docs/compatibility.md has this list for operators.
constexpr Pattern kPatterns[] = {
    // "x-anthropic-billing-header: cc_version=...; cc_entrypoint=cli; cch=...;": the first block of
    // Claude Code's system prompt; the service takes it for a header, not for words.
    {"anthropic-billing-header", "x-anthropic-billing-header:"},
};

const Pattern* pattern_at(std::string_view text) {
  for (const Pattern& pattern : kPatterns) {
    if (text.starts_with(pattern.begins_with)) return &pattern;
  }
  return nullptr;
}

}  // namespace

std::string settle_volatile_lines(std::string_view text, bool keeps_them,
                                  std::vector<VolatileLine>& seen) {
  std::string_view rest = text;
  while (const Pattern* pattern = pattern_at(rest)) {
    seen.push_back({pattern->name, !keeps_them});
    const std::size_t end = rest.find('\n');
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return std::string(keeps_them ? text : rest);
}

}  // namespace quire
