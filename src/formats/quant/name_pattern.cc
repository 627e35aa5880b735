#include "formats/quant/name_pattern.h"

namespace quire {
namespace {

constexpr std::size_t kPatternSizeMax = 256;

void allow_range(std::bitset<256>& allowed, unsigned char first, unsigned char last) {
  for (int c = first; c <= last; ++c) allowed.set(static_cast<std::size_t>(c));
}

// The characters of an escape: \d, \w, or a sign that stands for itself.
bool allow_escape(char c, std::bitset<256>& allowed) {
  if (c == 'd' || c == 'w') allow_range(allowed, '0', '9');
  if (c == 'w') {
    allow_range(allowed, 'a', 'z');
    allow_range(allowed, 'A', 'Z');
    allowed.set('_');
  }
  if (c == 'd' || c == 'w') return true;
  const bool is_letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (!is_letter) allowed.set(static_cast<unsigned char>(c));
  return !is_letter;
}

// The class that begins behind '[' at `at`; moves `at` behind its ']'.
bool read_class(std::string_view text, std::size_t& at, std::bitset<256>& allowed) {
  const bool is_inverted = at < text.size() && text[at] == '^';
  if (is_inverted) ++at;
  const std::size_t begin = at;
  for (; at < text.size() && (text[at] != ']' || at == begin); ++at) {
    if (text[at] == '\\') {
      if (++at == text.size() || !allow_escape(text[at], allowed)) return false;
      continue;
    }
    const auto first = static_cast<unsigned char>(text[at]);
    const bool is_range = at + 2 < text.size() && text[at + 1] == '-' && text[at + 2] != ']';
    if (is_range) at += 2;
    allow_range(allowed, first, static_cast<unsigned char>(text[at]));
  }
  if (is_inverted) allowed.flip();
  return at++ < text.size();
}

}  // namespace

Result<NamePattern> NamePattern::parse(std::string_view text) {
  NamePattern pattern;
  const bool is_expression = text.starts_with("re:");
  if (text.size() > kPatternSizeMax) {
    return error(StatusCode::kResourceExhausted, "a pattern of {} characters, at most {} are read",
                 text.size(), kPatternSizeMax);
  }
  if (is_expression) {
    QUIRE_RETURN_IF_ERROR(pattern.parse_expression(text.substr(3)));
    return pattern;
  }
  for (const char c : text) {
    pattern.atoms_.emplace_back().allowed.set(static_cast<unsigned char>(c));
  }
  return pattern;
}

Status NamePattern::parse_expression(std::string_view text) {
  const auto refused = [&] {
    return error(StatusCode::kUnsupported, "the expression '{}' is not supported", text);
  };
  is_whole_ = false;
  std::size_t at = text.starts_with('^') ? 1 : 0;
  while (at < text.size()) {
    const char c = text[at++];
    if (c == '$' && at == text.size()) {
      is_whole_ = true;
      break;
    }
    if (std::string_view("()|{}^$*+?").find(c) != std::string_view::npos) return refused();
    Atom& atom = atoms_.emplace_back();
    if (c == '.') {
      atom.allowed.set();
    } else if (c == '[') {
      if (!read_class(text, at, atom.allowed)) return refused();
    } else if (c == '\\') {
      if (at == text.size() || !allow_escape(text[at++], atom.allowed)) return refused();
    } else {
      atom.allowed.set(static_cast<unsigned char>(c));
    }
    if (at == text.size()) break;
    atom.is_optional = text[at] == '*' || text[at] == '?';
    atom.is_repeated = text[at] == '*' || text[at] == '+';
    if (atom.is_optional || atom.is_repeated) ++at;
  }
  return ok_status();
}

// States are places between atoms; all that are possible advance together, character by character.
bool NamePattern::matches(std::string_view name) const {
  const std::size_t end = atoms_.size();
  std::vector<bool> here(end + 1), next(end + 1);
  here[0] = true;
  const auto skip_optional = [&](std::vector<bool>& states) {
    for (std::size_t i = 0; i < end; ++i) {
      if (states[i] && atoms_[i].is_optional) states[i + 1] = true;
    }
  };
  skip_optional(here);
  for (const char c : name) {
    if (here[end] && !is_whole_) return true;
    next.assign(end + 1, false);
    for (std::size_t i = 0; i < end; ++i) {
      if (!here[i] || !atoms_[i].allowed[static_cast<unsigned char>(c)]) continue;
      next[i + 1] = true;
      if (atoms_[i].is_repeated) next[i] = true;
    }
    skip_optional(next);
    here.swap(next);
  }
  return here[end];
}

}  // namespace quire
