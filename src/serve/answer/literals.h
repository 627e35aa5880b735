// Literals of a format found in a text that is still growing. A line break in a literal stands for
// any white space or none; at its end it stands for at least one.
// Pure; any thread. Used by parts and call_reader.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace quire {

enum class LiteralMatch : std::uint8_t {
  kNo,
  kPartial,  // what there is of the text is the beginning of it
  kFull,
};

struct LiteralAt {
  LiteralMatch match = LiteralMatch::kNo;
  std::size_t size = 0;  // of the text, of a full match
};

LiteralAt match_literal(std::string_view text, std::size_t at, std::string_view literal);

struct LiteralFound {
  std::size_t at = 0;    // where it begins, or where the text begins that may become one
  std::size_t size = 0;  // 0: none is there yet
  std::size_t which = 0;
};

// The first of the literals at or behind `from`; of those that begin there the longest. Waits while
// more text could make a longer one, unless `is_end`.
LiteralFound find_literal(std::string_view text, std::size_t from,
                          std::span<const std::string_view> literals, bool is_end);

bool is_white(char byte);

}  // namespace quire
