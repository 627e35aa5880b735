// Literals: no automaton, since few begin with the same byte and a first byte is rare in a text.
#include "serve/answer/literals.h"

#include <array>

namespace quire {

bool is_white(char byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }

LiteralAt match_literal(std::string_view text, std::size_t at, std::string_view literal) {
  const std::size_t begin = at;
  for (std::size_t i = 0; i < literal.size(); ++i) {
    if (literal[i] == '\n') {
      const bool is_last = i + 1 == literal.size();
      const bool has_white = at < text.size() && is_white(text[at]);
      if (is_last && at < text.size() && !has_white) return {};
      if (is_last && has_white) return {LiteralMatch::kFull, at + 1 - begin};
      while (at < text.size() && is_white(text[at])) ++at;
      if (at == text.size()) return {LiteralMatch::kPartial, 0};
      continue;
    }
    if (at == text.size()) return {LiteralMatch::kPartial, 0};
    if (text[at] != literal[i]) return {};
    ++at;
  }
  return {LiteralMatch::kFull, at - begin};
}

LiteralFound find_literal(std::string_view text, std::size_t from,
                          std::span<const std::string_view> literals, bool is_end) {
  std::array<bool, 256> begins{};
  for (const std::string_view literal : literals) {
    if (!literal.empty()) begins[static_cast<unsigned char>(literal.front())] = true;
  }
  for (std::size_t at = from; at < text.size(); ++at) {
    if (!begins[static_cast<unsigned char>(text[at])]) continue;
    LiteralFound found{.at = at};
    bool may_grow = false;
    for (std::size_t which = 0; which < literals.size(); ++which) {
      if (literals[which].empty()) continue;
      const LiteralAt here = match_literal(text, at, literals[which]);
      may_grow = may_grow || here.match == LiteralMatch::kPartial;
      if (here.match == LiteralMatch::kFull && here.size > found.size) {
        found.size = here.size;
        found.which = which;
      }
    }
    if (may_grow && !is_end) return {.at = at};
    if (found.size != 0) return found;
  }
  return {.at = text.size()};
}

}  // namespace quire
