#include "serve/route.h"

namespace quire {
namespace {

std::string_view take_segment(std::string_view& text) {
  const std::size_t slash = text.find('/');
  const std::string_view segment = text.substr(0, slash);
  text.remove_prefix(slash == text.npos ? text.size() : slash + 1);
  return segment;
}

bool is_named(std::string_view part) { return part.starts_with('{') && part.ends_with('}'); }

}  // namespace

bool fits_pattern(std::string_view pattern, std::string_view path, PathParams& params) {
  params = {};
  if (!pattern.starts_with('/') || !path.starts_with('/')) return pattern == path;
  pattern.remove_prefix(1);
  path.remove_prefix(1);
  while (!pattern.empty()) {
    const std::string_view part = take_segment(pattern);
    if (part.ends_with("...}")) {
      // The rest of the path but for what the rest of the pattern takes from its end.
      const std::string tail = pattern.empty() ? "" : "/" + std::string(pattern);
      if (path.size() <= tail.size() || !path.ends_with(tail)) return false;
      params.add(part.substr(1, part.size() - 5), path.substr(0, path.size() - tail.size()));
      return true;
    }
    if (path.empty()) return false;
    const bool is_last = path.find('/') == path.npos;
    const std::string_view segment = take_segment(path);
    if (is_named(part) ? segment.empty() : segment != part) return false;
    if (is_named(part)) params.add(part.substr(1, part.size() - 2), segment);
    if (pattern.empty() != is_last) return false;
  }
  return path.empty();
}

}  // namespace quire
