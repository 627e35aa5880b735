// UTF-8 in pieces: a four-state reader after the table of well-formed byte sequences (Unicode 15,
// table 3-7). The second byte of E0, ED, F0 and F4 has a narrower range; that is all there is to
// it.
#include "base/text/utf8.h"

namespace quire {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The size that a first byte announces; 0 where it cannot begin a character.
std::size_t announced_size(std::uint8_t byte) {
  if (byte < 0x80) return 1;
  if (byte >= 0xC2 && byte <= 0xDF) return 2;
  if (byte >= 0xE0 && byte <= 0xEF) return 3;
  if (byte >= 0xF0 && byte <= 0xF4) return 4;
  return 0;
}

}  // namespace

void Utf8Stream::append_byte(std::uint8_t byte, std::string& out) {
  if (held_size_ > 0) {
    if (byte >= next_min_ && byte <= next_max_) {
      held_[held_size_++] = static_cast<char>(byte);
      next_min_ = 0x80;
      next_max_ = 0xBF;
      if (held_size_ == character_size_) {
        out.append(held_.data(), held_size_);
        held_size_ = 0;
      }
      return;
    }
    // What is held can no longer become a character; this byte begins anew.
    out += kReplacement;
    held_size_ = 0;
  }
  character_size_ = announced_size(byte);
  if (character_size_ == 0) {
    out += kReplacement;
  } else if (character_size_ == 1) {
    out += static_cast<char>(byte);
  } else {
    held_[held_size_++] = static_cast<char>(byte);
    next_min_ = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
    next_max_ = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
  }
}

void Utf8Stream::append(std::string_view bytes, std::string& out) {
  for (char byte : bytes) append_byte(static_cast<std::uint8_t>(byte), out);
}

void Utf8Stream::flush(std::string& out) {
  if (held_size_ > 0) out += kReplacement;
  held_size_ = 0;
}

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto first = static_cast<std::uint8_t>(text[at]);
    const std::size_t size = announced_size(first);
    if (size == 0 || size > text.size() - at) return at;
    for (std::size_t i = 1; i < size; ++i) {
      const auto byte = static_cast<std::uint8_t>(text[at + i]);
      std::uint8_t low = 0x80;
      std::uint8_t high = 0xBF;
      if (i == 1) {
        low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : low;
        high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : high;
      }
      if (byte < low || byte > high) return at;
    }
    at += size;
  }
  return std::nullopt;
}

}  // namespace quire
