// ASCII as protocols use it: letters without regard to case, hexadecimal digits. No locale has a
// say in it, and bytes beyond ASCII stay as they are.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace quire {

constexpr char lower_ascii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower_ascii(c);
  return out;
}

constexpr bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (lower_ascii(c) >= 'a' && lower_ascii(c) <= 'z');
}

// The value of a hexadecimal digit; -1: it is none.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = lower_ascii(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

}  // namespace quire
