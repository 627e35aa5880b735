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

// The rest of a pattern takes its segments from the end of the path; what is left is `name`.
bool fits_from_the_end(std::string_view name, std::string_view pattern, std::string_view path,
                       PathParams& params) {
  while (!pattern.empty()) {
    const std::size_t slash = pattern.rfind('/'), end = path.rfind('/');
    if (end == path.npos) return false;
    const std::string_view part = pattern.substr(slash == pattern.npos ? 0 : slash + 1);
    const std::string_view segment = path.substr(end + 1);
    if (is_named(part) ? segment.empty() : segment != part) return false;
    if (is_named(part)) params.add(part.substr(1, part.size() - 2), segment);
    pattern = slash == pattern.npos ? std::string_view() : pattern.substr(0, slash);
    path = path.substr(0, end);
  }
  if (path.empty()) return false;
  params.add(name, path);
  return true;
}

}  // namespace

bool fits_pattern(std::string_view pattern, std::string_view path, PathParams& params) {
  params = {};
  if (pattern == path && pattern.find('{') == pattern.npos) return true;  // its last slash, too
  if (pattern.size() > 1 && pattern.ends_with('/')) return false;
  if (!pattern.starts_with('/') || !path.starts_with('/')) return pattern == path;
  pattern.remove_prefix(1);
  path.remove_prefix(1);
  while (!pattern.empty()) {
    const std::string_view part = take_segment(pattern);
    if (part.ends_with("...}")) {
      return fits_from_the_end(part.substr(1, part.size() - 5), pattern, path, params);
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
