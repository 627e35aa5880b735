#include "serve/answer/value_scan.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/text/ascii.h"
#include "serve/answer/literals.h"

namespace quire {
namespace {

constexpr int kDepthMax = 32;

class LooseReader {
 public:
  LooseReader(std::string_view text, std::string_view quote) : text_(text), quote_(quote) {}

  std::optional<std::string> read() {
    const bool is_read = value(0);
    skip_white();
    if (!is_read || at_ != text_.size()) return std::nullopt;
    return std::move(out_);
  }

 private:
  void skip_white() {
    while (at_ < text_.size() && is_white(text_[at_])) ++at_;
  }

  bool eats(std::string_view literal) {
    if (!text_.substr(at_).starts_with(literal)) return false;
    at_ += literal.size();
    return true;
  }

  bool value(int depth) {
    skip_white();
    if (at_ == text_.size() || depth > kDepthMax) return false;
    const char first = text_[at_];
    if (!quote_.empty() && eats(quote_)) return quoted_text();
    if (quote_.empty() && (first == '"' || first == '\'')) return python_text();
    if (first == '[') return list(']', depth);
    if (first == '(' && quote_.empty()) return list(')', depth);
    if (first == '{') return object(depth);
    return word();
  }

  bool list(char closes, int depth) {
    ++at_;
    out_ += '[';
    for (bool is_first = true;; is_first = false) {
      skip_white();
      if (eats(std::string_view(&closes, 1))) break;
      if (!is_first && !comma()) return false;
      skip_white();
      if (!is_first && eats(std::string_view(&closes, 1))) break;
      if (!is_first) out_ += ',';
      if (!value(depth + 1)) return false;
    }
    out_ += ']';
    return true;
  }

  bool comma() { return eats(","); }

  bool object(int depth) {
    ++at_;
    out_ += '{';
    for (bool is_first = true;; is_first = false) {
      skip_white();
      if (eats("}")) break;
      if (!is_first && !comma()) return false;
      skip_white();
      if (!is_first && eats("}")) break;
      if (!is_first) out_ += ',';
      if (!key()) return false;
      skip_white();
      if (!eats(":")) return false;
      out_ += ':';
      if (!value(depth + 1)) return false;
    }
    out_ += '}';
    return true;
  }

  bool key() {
    if (quote_.empty()) {
      return at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'') && python_text();
    }
    if (eats(quote_)) return quoted_text();
    const std::size_t end = text_.find(':', at_);
    if (end == std::string_view::npos || end == at_) return false;
    out_ += '"';
    append_json_escaped(text_.substr(at_, end - at_), out_);
    out_ += '"';
    at_ = end;
    return true;
  }

  bool quoted_text() {
    const std::size_t end = text_.find(quote_, at_);
    if (end == std::string_view::npos) return false;
    out_ += '"';
    append_json_escaped(text_.substr(at_, end - at_), out_);
    out_ += '"';
    at_ = end + quote_.size();
    return true;
  }

  bool python_text() {
    const char quote = text_[at_++];
    std::string text;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] != '\\') {
        text += text_[at_++];
      } else if (++at_ == text_.size() || !escape(text)) {
        return false;
      }
    }
    if (at_ == text_.size()) return false;
    ++at_;
    out_ += '"';
    append_json_escaped(text, out_);
    out_ += '"';
    return true;
  }

  bool escape(std::string& text) {
    const char letter = text_[at_++];
    constexpr std::string_view kLetters = "ntrbfva0\\'\"\n";
    constexpr std::string_view kBytes{"\n\t\r\b\f\v\a\0\\'\"", 11};
    const std::size_t which = kLetters.find(letter);
    if (which < kBytes.size()) {
      text += kBytes[which];
    } else if (letter == 'x' || letter == 'u' || letter == 'U') {
      return code(letter == 'x' ? 2 : letter == 'u' ? 4 : 8, text);
    } else if (letter != '\n') {  // Python keeps what it does not know
      text += '\\';
      text += letter;
    }
    return true;
  }

  bool code(std::size_t digits, std::string& text) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i, ++at_) {
      const int digit = at_ < text_.size() ? hex_value(text_[at_]) : -1;
      if (digit < 0) return false;
      value = value << 4 | static_cast<std::uint32_t>(digit);
    }
    // A pair of surrogates is how JSON writes it, and models that have read much JSON too.
    if (value >= 0xD800 && value < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
      const std::size_t before = at_;
      std::uint32_t low = 0;
      at_ += 2;
      for (int i = 0; i < 4 && at_ < text_.size() && hex_value(text_[at_]) >= 0; ++i, ++at_) {
        low = low << 4 | static_cast<std::uint32_t>(hex_value(text_[at_]));
      }
      if (low < 0xDC00 || low > 0xDFFF) {
        at_ = before;
      } else {
        value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
      }
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return false;
    append_character(value, text);
    return true;
  }

  static void append_character(std::uint32_t code, std::string& text) {
    const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (code >> shift & 0x3F)); };
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else if (code < 0x800) {
      text += static_cast<char>(0xC0 | code >> 6);
      tail(0);
    } else if (code < 0x10000) {
      text += static_cast<char>(0xE0 | code >> 12);
      tail(6), tail(0);
    } else {
      text += static_cast<char>(0xF0 | code >> 18);
      tail(12), tail(6), tail(0);
    }
  }

  bool word() {
    const std::size_t end = std::min(text_.find_first_of(",]}): \t\r\n", at_), text_.size());
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end;
    if (word == "True" || word == "False") {
      out_ += lower_ascii(word);
    } else if (word == "None") {
      out_ += "null";
    } else if (!word.empty() && parse_json(word).is_ok()) {  // a number, true, false, null
      out_ += word;
    } else {
      return false;
    }
    return true;
  }

  std::string_view text_, quote_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

ScanStep JsonScan::take(char byte) {
  if (in_text_) {
    if (is_escaped_) {
      is_escaped_ = false;
    } else if (byte == '\\') {
      is_escaped_ = true;
    } else if (byte == '"') {
      in_text_ = false;
      if (depth_ == 0) return ScanStep::kLast;
    }
    return ScanStep::kInside;
  }
  const bool is_scalar = is_begun_ && depth_ == 0;
  if (is_scalar && (is_white(byte) || byte == ',' || byte == '}' || byte == ']')) {
    return ScanStep::kAfter;
  }
  is_begun_ = true;
  if (byte == '"') in_text_ = true;
  if (byte == '{' || byte == '[') ++depth_;
  if (byte == '}' || byte == ']') {
    if (--depth_ <= 0) return ScanStep::kLast;
  }
  return ScanStep::kInside;
}

bool LooseScan::take(std::string_view text, std::size_t& at, char closes) {
  while (at < text.size()) {
    const char byte = text[at];
    if (quote_.empty()) {
      if (open_ != 0) {
        if (byte == '\\') {
          if (at + 1 == text.size()) return false;
          ++at;
        } else if (byte == open_) {
          open_ = 0;
        }
        ++at;
        continue;
      }
      if (byte == '"' || byte == '\'') open_ = byte;
    } else {
      const LiteralAt quote = match_literal(text, at, quote_);
      if (quote.match == LiteralMatch::kPartial) return false;
      if (quote.match == LiteralMatch::kFull) {
        open_ = open_ == 0 ? 'q' : 0;
        at += quote.size;
        continue;
      }
      if (open_ != 0) {
        ++at;
        continue;
      }
    }
    if (depth_ == 0 && (byte == ',' || byte == closes)) return true;
    if (byte == '[' || byte == '{' || byte == '(') ++depth_;
    if (byte == ']' || byte == '}' || byte == ')') --depth_;
    ++at;
  }
  return false;
}

std::optional<std::string> json_of_loose(std::string_view text, std::string_view quote) {
  return LooseReader(text, quote).read();
}

void append_json_escaped(std::string_view bytes, std::string& out) {
  for (const char byte : bytes) {
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += byte;
    } else if (byte == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(byte) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(byte));
    } else {
      out += byte;
    }
  }
}

}  // namespace quire
