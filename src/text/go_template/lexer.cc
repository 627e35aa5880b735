#include "text/go_template/lexer.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "base/text/ascii.h"
#include "base/text/utf8.h"
#include "text/go_template/line_error.h"

namespace quire::go {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

bool is_space(char c) { return kSpaces.find(c) != kSpaces.npos; }
bool is_name_byte(char c) {
  return is_letter_or_digit(c) || c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0;
}

void append_utf8(std::uint32_t code, std::string& out) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) {
      const std::size_t open = source_.find("{{", at_);
      std::string_view text = source_.substr(at_, open == source_.npos ? open : open - at_);
      const bool trims = open != source_.npos && is_marker(open + 2, true);
      take_text(text, trims);
      if (open == source_.npos) break;
      at_ = open + 2;
      if (trims) at_ += 1;
      QUIRE_RETURN_IF_ERROR(action());
      if (tokens_.size() > kTokensMax) return wrong_at(line_, "more than {} words", kTokensMax);
    }
    return std::move(tokens_);
  }

 private:
  // "- " behind "{{", " -" before "}}".
  bool is_marker(std::size_t at, bool is_left) const {
    if (is_left) {
      return at + 1 < source_.size() && source_[at] == '-' && is_space(source_[at + 1]);
    }
    return source_.substr(at).starts_with("-}}") && at > 0 && is_space(source_[at - 1]);
  }

  void take_text(std::string_view text, bool trims_end) {
    const int line = line_;
    count_lines(text);
    if (trims_begin_) {
      text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
    }
    trims_begin_ = false;
    if (trims_end) {
      const std::size_t last = text.find_last_not_of(kSpaces);
      text = text.substr(0, last == text.npos ? 0 : last + 1);
    }
    if (!text.empty()) tokens_.push_back({TokenKind::kText, line, std::string(text), {}});
  }

  void count_lines(std::string_view text) {
    for (const char c : text) line_ += c == '\n' ? 1 : 0;
  }

  Status action() {
    if (source_.substr(skip_spaces(at_)).starts_with("/*")) return comment();
    const std::size_t first = tokens_.size();
    for (;;) {
      if (at_ >= source_.size()) return wrong_at(line_, "unclosed action");
      if (source_.substr(at_).starts_with("}}") || is_marker(at_, false)) {
        trims_begin_ = source_[at_] == '-';
        at_ += trims_begin_ ? 3 : 2;
        if (tokens_.size() > first && tokens_.back().kind == TokenKind::kSpace) tokens_.pop_back();
        push(TokenKind::kEnd);
        return ok_status();
      }
      QUIRE_RETURN_IF_ERROR(word());
    }
  }

  std::size_t skip_spaces(std::size_t at) const {
    return std::min(source_.find_first_not_of(kSpaces, at), source_.size());
  }

  Status comment() {
    const std::size_t end = source_.find("*/", at_);
    if (end == source_.npos) return wrong_at(line_, "unclosed comment");
    count_lines(source_.substr(at_, end - at_));
    at_ = end + 2;
    const std::size_t close = skip_spaces(at_);
    count_lines(source_.substr(at_, close - at_));
    at_ = close;
    if (source_.substr(at_).starts_with("}}") || is_marker(at_, false)) {
      trims_begin_ = source_[at_] == '-';
      at_ += trims_begin_ ? 3 : 2;
      return ok_status();
    }
    return wrong_at(line_, "comment ends before closing delimiter");
  }

  Token& push(TokenKind kind, std::string text = {}) {
    return tokens_.emplace_back(Token{kind, line_, std::move(text), {}});
  }

  std::string name_from(std::size_t begin) {
    while (at_ < source_.size() && is_name_byte(source_[at_])) ++at_;
    return std::string(source_.substr(begin, at_ - begin));
  }

  Status word() {
    const char c = source_[at_];
    const char next = at_ + 1 < source_.size() ? source_[at_ + 1] : '\0';
    if (is_space(c)) {
      const std::size_t end = skip_spaces(at_);
      count_lines(source_.substr(at_, end - at_));
      at_ = end;
      const bool is_first = tokens_.empty() || tokens_.back().kind == TokenKind::kText ||
                            tokens_.back().kind == TokenKind::kEnd;
      if (!is_first) push(TokenKind::kSpace);
      return ok_status();
    }
    if (c == '"' || c == '\'') return quoted(c);
    if (c == '`') return raw();
    if (c == '.' && !(next >= '0' && next <= '9')) {
      const std::size_t begin = ++at_;
      std::string name = name_from(begin);
      const bool is_dot = name.empty();
      push(is_dot ? TokenKind::kDot : TokenKind::kField, std::move(name));
      return ok_status();
    }
    if (c == '$') {
      const std::size_t begin = ++at_;
      push(TokenKind::kVariable, name_from(begin));
      return ok_status();
    }
    const bool is_signed = (c == '-' || c == '+') && ((next >= '0' && next <= '9') || next == '.');
    if (is_digit(c) || c == '.' || is_signed) return number();
    if (is_name_byte(c)) return name();
    return mark(c, next);
  }

  Status mark(char c, char next) {
    const bool is_declare = c == ':' && next == '=';
    at_ += is_declare ? 2 : 1;
    if (is_declare) return push(TokenKind::kDeclare), ok_status();
    if (c == '=') return push(TokenKind::kAssign), ok_status();
    if (c == '|') return push(TokenKind::kPipe), ok_status();
    if (c == '(') return push(TokenKind::kOpen), ok_status();
    if (c == ')') return push(TokenKind::kClose), ok_status();
    if (c == ',') return push(TokenKind::kComma), ok_status();
    return wrong_at(line_, "unexpected {} in action", dump(Json(std::string(1, c))));
  }

  Status name() {
    std::string text = name_from(at_);
    if (text == "true" || text == "false") {
      push(TokenKind::kConstant).value = Json(text == "true");
    } else if (text == "nil") {
      push(TokenKind::kConstant);
    } else {
      push(TokenKind::kName, std::move(text));
    }
    return ok_status();
  }

  Status number() {
    const std::size_t begin = at_;
    if (source_[at_] == '+' || source_[at_] == '-') ++at_;
    while (at_ < source_.size() && (is_name_byte(source_[at_]) || source_[at_] == '.' ||
                                    ((source_[at_] == '+' || source_[at_] == '-') &&
                                     lower_ascii(source_[at_ - 1]) == 'e'))) {
      ++at_;
    }
    std::string text;
    for (const char c : source_.substr(begin, at_ - begin)) {
      if (c != '_') text += c;
    }
    const bool is_negative = text.starts_with('-');
    std::string_view digits = text;
    if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
    int base = 10;
    if (digits.starts_with("0x") || digits.starts_with("0X")) base = 16;
    if (digits.starts_with("0b") || digits.starts_with("0B")) base = 2;
    if (digits.starts_with("0o") || digits.starts_with("0O")) base = 8;
    if (base != 10) digits.remove_prefix(2);
    std::int64_t whole = 0;
    const char* end = digits.data() + digits.size();
    const auto [at, failure] = std::from_chars(digits.data(), end, whole, base);
    if (failure == std::errc() && at == end && !digits.empty()) {
      push(TokenKind::kConstant).value = Json(is_negative ? -whole : whole);
      return ok_status();
    }
    double real = 0;
    const auto [real_at, real_failure] = std::from_chars(digits.data(), end, real);
    if (base != 10 || real_failure != std::errc() || real_at != end || !std::isfinite(real)) {
      return wrong_at(line_, "bad number {}", dump(Json(text)));
    }
    push(TokenKind::kConstant).value = Json(is_negative ? -real : real);
    return ok_status();
  }

  Status raw() {
    const int line = line_;
    const std::size_t end = source_.find('`', at_ + 1);
    if (end == source_.npos) return wrong_at(line, "unterminated raw quoted string");
    std::string text(source_.substr(at_ + 1, end - at_ - 1));
    std::erase(text, '\r');
    count_lines(text);
    at_ = end + 1;
    tokens_.push_back({TokenKind::kConstant, line, {}, Json(std::move(text))});
    return ok_status();
  }

  // A text, or of '...' the number of one character.
  Status quoted(char quote) {
    std::string text;
    for (++at_;; ) {
      if (at_ >= source_.size() || source_[at_] == '\n') {
        return wrong_at(line_, "unterminated {}", quote == '"' ? "quoted string"
                                                            : "character constant");
      }
      const char c = source_[at_++];
      if (c == quote) break;
      if (c != '\\') {
        text += c;
      } else {
        QUIRE_RETURN_IF_ERROR(escape(text));
      }
    }
    if (quote == '"') {
      push(TokenKind::kConstant).value = Json(std::move(text));
      return ok_status();
    }
    const auto code = code_of(text);
    if (!code) return wrong_at(line_, "malformed character constant");
    push(TokenKind::kConstant).value = Json(std::int64_t{*code});
    return ok_status();
  }

  // The only character of a text.
  static std::optional<std::uint32_t> code_of(std::string_view text) {
    if (text.empty()) return std::nullopt;
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t size = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (text.size() != size) return std::nullopt;
    std::uint32_t code = size == 1 ? first : first & (0xFFu >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
      code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
    }
    return code;
  }

  Status escape(std::string& text) {
    const char c = at_ < source_.size() ? source_[at_++] : '\0';
    constexpr std::string_view kFrom = "abfnrtv\\'\"", kTo = "\a\b\f\n\r\t\v\\'\"";
    if (const std::size_t known = kFrom.find(c); c != '\0' && known != kFrom.npos) {
      text += kTo[known];
      return ok_status();
    }
    const bool is_octal = c >= '0' && c <= '7';
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : is_octal ? 3 : 0;
    if (is_octal) --at_;
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const int value = at_ < source_.size() ? hex_value(source_[at_]) : -1;
      if (value < 0 || (is_octal && value > 7)) return wrong_at(line_, "bad escape in a string");
      code = code * (is_octal ? 8 : 16) + static_cast<std::uint32_t>(value);
      ++at_;
    }
    const bool is_byte = c == 'x' || is_octal;
    const bool is_surrogate = code >= 0xD800 && code < 0xE000;
    if (digits == 0 || (is_byte ? code > 0xFF : code > 0x10FFFF || is_surrogate)) {
      return wrong_at(line_, "bad escape in a string");
    }
    if (is_byte) {
      text += static_cast<char>(code);
    } else {
      append_utf8(code, text);
    }
    return ok_status();
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool trims_begin_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> lex(std::string_view source) {
  if (source.size() > kSourceMax) {
    return error(StatusCode::kInvalidArgument, "a template of {} bytes; at most {}", source.size(),
                 kSourceMax);
  }
  return Lexer(source).run();
}

}  // namespace quire::go
