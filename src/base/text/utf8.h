// UTF-8 that arrives in pieces. Utf8Stream passes on whole characters only and holds back at most
// three bytes; bytes that can no longer become a character are U+FFFD, one for each maximal
// ill-formed part, as Python's errors="replace" and the Unicode standard (chapter 3, U+FFFD
// substitution of maximal subparts) have it. So the output is the same for any split of the input.
// Plain values; any thread. Used by text, formats and serve.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quire {

// Where the first ill-formed part of `text` begins, if there is one. A character cut off at the end
// counts as ill-formed.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

class Utf8Stream {
 public:
  // Appends to `out` what `bytes` completes.
  void append(std::string_view bytes, std::string& out);

  // The end: a character that is still incomplete becomes U+FFFD.
  void flush(std::string& out);

  bool is_between_characters() const { return held_size_ == 0; }

 private:
  void append_byte(std::uint8_t byte, std::string& out);

  std::array<char, 4> held_ = {};
  std::size_t held_size_ = 0;
  std::size_t character_size_ = 0;  // of the held character, known from its first byte
  std::uint8_t next_min_ = 0x80;    // the range of the next byte
  std::uint8_t next_max_ = 0xBF;
};

}  // namespace quire
