// A model's text for a terminal: see terminal_text.h.
#include "terminal/terminal_text.h"

#include <fmt/format.h>
#include <langinfo.h>
#include <wchar.h>

#include <algorithm>
#include <clocale>
#include <cstring>

namespace quire {
namespace {

constexpr int kTabColumns = 8;
constexpr std::string_view kFence = "```";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::size_t character_size(unsigned char first) {
  return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

char32_t code_of(std::string_view bytes) {
  if (bytes.size() == 1) return static_cast<unsigned char>(bytes[0]);
  char32_t code = static_cast<unsigned char>(bytes[0]) & (0x7Fu >> bytes.size());
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    code = code << 6 | (static_cast<unsigned char>(bytes[i]) & 0x3Fu);
  }
  return code;
}

bool is_control(char32_t code) {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return true;
  return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);  // directions
}

}  // namespace

std::string TerminalText::add(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size =
        std::min(character_size(static_cast<unsigned char>(text[0])), text.size());
    add_character(text.substr(0, size), code_of(text.substr(0, size)), out);
    text.remove_prefix(size);
  }
  return out;
}

void TerminalText::add_character(std::string_view bytes, char32_t code, std::string& out) {
  if (code == '\n') {
    out += '\n';
    end_line();
    return;
  }
  if (code == '\r') return;  // of a CR LF: the line feed does it all
  if (code != '\t' && is_control(code)) {
    bytes = kReplacement;
    code = 0xFFFD;
  }
  if (line_head_.size() < kFence.size() && (code != ' ' || !line_head_.empty())) {
    line_head_ += bytes;
    if (line_head_ == kFence) is_in_fence_ = !is_in_fence_;
  }
  if (code == ' ' || code == '\t') {
    const int width = code == ' ' ? 1 : kTabColumns - column_ % kTabColumns;
    word_.clear();
    word_columns_ = 0;
    if (columns_ > 0 && !is_in_fence_ && column_ + width > columns_) {
      out += '\n';  // in place of the space
      column_ = 0;
      return;
    }
    out += bytes;
    column_ += width;
    return;
  }
  add_in_word(bytes, std::max(::wcwidth(static_cast<wchar_t>(code)), 0), out);
}

void TerminalText::add_in_word(std::string_view bytes, int width, std::string& out) {
  if (columns_ > 0 && !is_in_fence_ && column_ + width > columns_) {
    if (word_columns_ > 0 && word_columns_ < column_) {
      out += fmt::format("\033[{}D\033[K\n{}", word_columns_, word_);
    } else {  // longer than a line: broken where it is
      out += '\n';
      word_.clear();
      word_columns_ = 0;
    }
    column_ = word_columns_;
  }
  out += bytes;
  column_ += width;
  word_ += bytes;
  word_columns_ += width;
  if (width > 1) {  // scripts of wide characters break anywhere
    word_.clear();
    word_columns_ = 0;
  }
}

void TerminalText::end_line() {
  column_ = 0;
  word_.clear();
  word_columns_ = 0;
  line_head_.clear();
}

void use_utf8_locale() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace quire
