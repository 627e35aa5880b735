#include "text/grammar/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/text/ascii.h"
#include "base/text/utf8.h"

namespace quire {
namespace {

// What letters and digits are depends on who reads: ASCII's for JavaScript, all of Unicode's for
// Python. A set is written so that it holds only what is in it for both.
constexpr const char* kDigits = "0-9";
constexpr const char* kWordCharacters = "0-9A-Za-z_";
constexpr const char* kSpaces =
    R"(\t-\r\x20\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr const char* kNoWordCharacters = R"(\x00-\x2F\x3A-\x40\x5B-\x5E\x60\x7B-\x7F)";
// In a negated class it is the other way round: everything that is in it for one of the two.
constexpr const char* kDigitsOfAny = R"(\p{Nd})";
constexpr const char* kWordCharactersOfAny = R"(\p{L}\p{N}_)";
constexpr const char* kSpacesOfAny = R"(\s\x{FEFF})";

constexpr std::string_view kMeta = R"(\.+*?()|[]{}^$#&-~)";

bool is_letter(char c) { return lower_ascii(c) >= 'a' && lower_ascii(c) <= 'z'; }
bool is_meta(char c) { return kMeta.find(c) != std::string_view::npos; }

class PatternWriter {
 public:
  explicit PatternWriter(std::string_view in) : in_(in) {}

  Result<std::string> write() {
    groups_.push_back({.is_at_start = true});
    while (at_ < in_.size()) QUIRE_RETURN_IF_ERROR(write_one());
    if (groups_.size() > 1) return broken("a group is not closed", groups_.back().at);
    return std::move(out_);
  }

 private:
  struct Group {
    std::size_t at = 0;
    std::uint64_t count = 1;   // the largest product of counts in it
    bool is_at_start = false;  // nothing can stand before it
    bool is_begun = false;     // something stands in this alternative
    bool has_ended = false;    // this alternative had a '$'
    bool ends = false;         // one of them had
    bool has_anchor = false;
  };

  Status fail(std::string_view what, std::size_t at) const {
    return error(StatusCode::kUnsupported, "{} (at byte {})", what, at);
  }
  Status fail(std::string_view what) const { return fail(what, at_); }
  // It is no regular expression for anybody.
  Status broken(std::string_view what, std::size_t at) const {
    return error(StatusCode::kInvalidArgument, "{} (at byte {})", what, at);
  }
  Status broken(std::string_view what) const { return broken(what, at_); }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0';
  }
  bool follows(std::string_view text) const { return in_.substr(at_).starts_with(text); }

  Status write_one();
  Status write_anchor();
  Status begin_atom();
  Status open_group();
  Status close_group();
  Status write_flags();
  Status write_escape();
  Status write_property();
  Result<std::optional<std::uint32_t>> read_code_point();
  std::optional<std::uint32_t> read_hex(std::size_t digits);
  Status write_class();
  void write_class_character(std::optional<std::uint32_t>& code);
  bool write_class_set(bool is_negated);
  Status write_class_item(bool is_negated, std::optional<std::uint32_t>& code);
  Status write_quantifier();
  bool read_count(std::size_t& size, std::uint64_t& min, std::optional<std::uint64_t>& max) const;

  void note_atom(std::uint64_t count) {
    atom_ = count;
    groups_.back().count = std::max(groups_.back().count, count);
  }
  void write_code_point(std::uint32_t code) { out_ += fmt::format("\\x{{{:X}}}", code); }

  std::string_view in_;
  std::size_t at_ = 0;
  std::string out_;
  std::vector<Group> groups_;
  std::uint64_t atom_ = 0;  // counts in what was read last; 0: nothing that can be repeated
  bool atom_has_anchor_ = false;
};

Status PatternWriter::write_one() {
  const char c = peek();
  switch (c) {
    case '(':
      return open_group();
    case ')':
      return close_group();
    case '[':
      return write_class();
    case '\\':
      return write_escape();
    case '*':
    case '+':
    case '?':
    case '{':
      return write_quantifier();
    case '^':
    case '$':
      return write_anchor();
    case '|':
      groups_.back().is_begun = groups_.back().has_ended = false;
      out_ += c;
      ++at_;
      atom_ = 0;
      return ok_status();
    default:
      break;
  }
  QUIRE_RETURN_IF_ERROR(begin_atom());
  if (is_meta(c) && c != '.' && c != '-') out_ += '\\';
  out_ += c;
  ++at_;
  while ((static_cast<std::uint8_t>(peek()) & 0xC0) == 0x80) out_ += in_[at_++];
  note_atom(1);
  return ok_status();
}

Status PatternWriter::write_anchor() {
  Group& group = groups_.back();
  if (peek() == '^' && (!group.is_at_start || group.is_begun)) {
    return fail("'^' is supported at the beginning only");
  }
  if (peek() == '$') group.has_ended = group.ends = true;
  group.has_anchor = true;
  out_ += in_[at_++];
  atom_ = 0;
  return ok_status();
}

Status PatternWriter::begin_atom() {
  if (groups_.back().has_ended) return fail("'$' is supported at the end only");
  groups_.back().is_begun = true;
  atom_has_anchor_ = false;
  return ok_status();
}

Status PatternWriter::open_group() {
  if (groups_.size() > static_cast<std::size_t>(kPatternDepthMax)) {
    return fail(fmt::format("groups are nested deeper than the budget of {}", kPatternDepthMax));
  }
  const Group& outer = groups_.back();
  if (outer.has_ended) return fail("'$' is supported at the end only");
  groups_.push_back({.at = at_, .is_at_start = outer.is_at_start && !outer.is_begun});
  atom_ = 0;
  if (!follows("(?")) {
    out_ += "(?:";
    ++at_;
    return ok_status();
  }
  if (follows("(?=") || follows("(?!")) return fail("look-ahead is not supported");
  if (follows("(?<=") || follows("(?<!")) return fail("look-behind is not supported");
  if (follows("(?P=")) return fail("back-references are not supported");
  if (follows("(?>")) return fail("atomic groups are not supported");
  if (follows("(?:")) {
    out_ += "(?:";
    at_ += 3;
    return ok_status();
  }
  if (follows("(?<") || follows("(?P<")) {  // a name, which nobody asks for
    const std::size_t end = in_.find('>', at_);
    if (end == std::string_view::npos) return broken("the name of a group is not closed");
    out_ += "(?:";
    at_ = end + 1;
    return ok_status();
  }
  return write_flags();
}

// (?i) at the very beginning, (?i:...) anywhere; s as well. The others change how the pattern is
// read.
Status PatternWriter::write_flags() {
  const std::size_t begin = at_;
  at_ += 2;
  std::string flags;
  while (peek() == 'i' || peek() == 's') flags += in_[at_++];
  if (!flags.empty() && peek() == ':') {
    out_ += "(?" + flags + ":";
    ++at_;
    return ok_status();
  }
  if (!flags.empty() && peek() == ')' && begin == 0) {
    out_ += "(?" + flags + ")";
    ++at_;
    groups_.pop_back();
    return ok_status();
  }
  return fail("this kind of group is not supported", begin);
}

Status PatternWriter::close_group() {
  if (groups_.size() == 1) return broken("')' closes no group");
  const Group closed = groups_.back();
  groups_.pop_back();
  Group& outer = groups_.back();
  outer.is_begun = true;
  outer.has_ended |= closed.ends;
  outer.ends |= closed.ends;
  outer.has_anchor |= closed.has_anchor;
  atom_has_anchor_ = closed.has_anchor;
  out_ += ')';
  ++at_;
  note_atom(closed.count);
  return ok_status();
}

std::optional<std::uint32_t> PatternWriter::read_hex(std::size_t digits) {
  if (at_ + digits > in_.size()) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int digit = hex_value(in_[at_ + i]);
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<std::uint32_t>(digit);
  }
  at_ += digits;
  return value;
}

// Of an escape that says a character by its number; nothing: it is another one. At the backslash.
Result<std::optional<std::uint32_t>> PatternWriter::read_code_point() {
  const std::size_t begin = at_;
  const char kind = peek(1);
  std::optional<std::uint32_t> code;
  if (kind == '0' && !(peek(2) >= '0' && peek(2) <= '9')) {
    at_ += 2;
    return std::optional<std::uint32_t>(0);
  }
  if (kind == 'c' && is_letter(peek(2))) {
    code = static_cast<std::uint32_t>(peek(2)) & 31U;
    at_ += 3;
    return code;
  }
  if (kind != 'x' && kind != 'u' && kind != 'U') return code;
  at_ += 2;
  if (peek() == '{' && kind != 'U') {
    const std::size_t end = in_.find('}', at_);
    const std::size_t size = end == std::string_view::npos ? 0 : end - at_ - 1;
    ++at_;
    if (size > 0 && size <= 6) code = read_hex(size);
    ++at_;
  } else {
    code = read_hex(kind == 'x' ? 2 : kind == 'u' ? 4 : 8);
    if (code && *code >= 0xD800 && *code < 0xDC00 && follows("\\u")) {
      at_ += 2;
      const auto low = read_hex(4);
      if (!low || *low < 0xDC00 || *low > 0xDFFF) return fail("half a character", begin);
      code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
    }
  }
  if (!code || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF)) {
    return fail("this escape is no character", begin);
  }
  return code;
}

Status PatternWriter::write_property() {
  const std::size_t begin = at_;
  std::size_t size = 3;  // \pL
  if (peek(2) == '{') {
    const std::size_t end = in_.find('}', at_);
    if (end == std::string_view::npos) return broken("the name of a property is not closed", begin);
    size = end + 1 - at_;
  }
  if (at_ + size > in_.size()) return fail("a property has no name", begin);
  out_ += in_.substr(at_, size);
  at_ += size;
  return ok_status();
}

Status PatternWriter::write_escape() {
  if (at_ + 1 >= in_.size()) return broken("the pattern ends in a backslash");
  QUIRE_RETURN_IF_ERROR(begin_atom());
  const char c = peek(1);
  if ((c >= '1' && c <= '9') || c == 'k') return fail("back-references are not supported");
  if (c == 'b' || c == 'B') return fail("word boundaries are not supported");
  QUIRE_ASSIGN_OR_RETURN(const auto code, read_code_point());
  if (code) {
    write_code_point(*code);
    note_atom(1);
    return ok_status();
  }
  note_atom(1);
  if (c == 'p' || c == 'P') return write_property();
  switch (c) {
    case 'd':
      out_ += fmt::format("[{}]", kDigits);
      break;
    case 'D':
      out_ += R"(\P{Nd})";
      break;
    case 'w':
      out_ += fmt::format("[{}]", kWordCharacters);
      break;
    case 'W':
      out_ += fmt::format("[{}]", kNoWordCharacters);
      break;
    case 's':
      out_ += fmt::format("[{}]", kSpaces);
      break;
    case 'S':
      out_ += fmt::format("[^{}]", kSpacesOfAny);
      break;
    default:
      if (std::string_view("tnrfv").find(c) != std::string_view::npos || is_meta(c)) {
        out_ += {'\\', c};
      } else if (is_letter(c) || is_digit(c)) {
        return fail(fmt::format("the escape '\\{}' is not supported", c));
      } else {
        out_ += c;
        at_ += 2;
        while ((static_cast<std::uint8_t>(peek()) & 0xC0) == 0x80) out_ += in_[at_++];
        return ok_status();
      }
  }
  at_ += 2;
  return ok_status();
}

// A character that stands for itself in a class.
void PatternWriter::write_class_character(std::optional<std::uint32_t>& code) {
  std::size_t size = 1;
  while ((static_cast<std::uint8_t>(peek(size)) & 0xC0) == 0x80) ++size;
  std::uint32_t value = static_cast<std::uint8_t>(peek());
  if (size > 1) value &= (1U << (7 - size)) - 1;
  for (std::size_t i = 1; i < size; ++i) {
    value = value << 6 | (static_cast<std::uint8_t>(peek(i)) & 0x3F);
  }
  code = value;
  if (is_meta(peek())) out_ += '\\';
  out_ += in_.substr(at_, size);
  at_ += size;
}

// \d and its like. False: it is none.
bool PatternWriter::write_class_set(bool is_negated) {
  switch (peek(1)) {
    case 'd':
      out_ += is_negated ? kDigitsOfAny : kDigits;
      break;
    case 'w':
      out_ += is_negated ? kWordCharactersOfAny : kWordCharacters;
      break;
    case 'D':
      out_ += is_negated ? "[^0-9]" : R"(\P{Nd})";
      break;
    case 'W':
      out_ += is_negated ? "[^0-9A-Za-z_]" : kNoWordCharacters;
      break;
    case 's':
      out_ += is_negated ? kSpacesOfAny : kSpaces;
      break;
    case 'S':
      out_ += fmt::format("[^{}]", is_negated ? kSpaces : kSpacesOfAny);
      break;
    default:
      return false;
  }
  at_ += 2;
  return true;
}

// One character or set of a class. `code`: the character, where it is one that may begin a range.
Status PatternWriter::write_class_item(bool is_negated, std::optional<std::uint32_t>& code) {
  code.reset();
  if (peek() != '\\') {
    write_class_character(code);
    return ok_status();
  }
  if (at_ + 1 >= in_.size()) return broken("the pattern ends in a backslash");
  const char c = peek(1);
  if (c == 'b') {  // a backspace, here
    code = 8;
    at_ += 2;
  } else {
    QUIRE_ASSIGN_OR_RETURN(code, read_code_point());
  }
  if (code) {
    write_code_point(*code);
    return ok_status();
  }
  if (c == 'p' || c == 'P') return write_property();
  if (write_class_set(is_negated)) return ok_status();
  constexpr std::string_view kNamed = "tnrfv";
  constexpr std::string_view kNamedCodes = "\t\n\r\f\v";
  const std::size_t named = kNamed.find(c);
  if (named != std::string_view::npos) {
    code = static_cast<std::uint8_t>(kNamedCodes[named]);
    out_ += {'\\', c};
    at_ += 2;
    return ok_status();
  }
  if (is_letter(c) || is_digit(c)) {
    return fail(fmt::format("the escape '\\{}' is not supported", c));
  }
  ++at_;
  write_class_character(code);
  return ok_status();
}

Status PatternWriter::write_class() {
  QUIRE_RETURN_IF_ERROR(begin_atom());
  const std::size_t begin = at_++;
  out_ += '[';
  const bool is_negated = peek() == '^';
  if (is_negated) {
    out_ += '^';
    ++at_;
  }
  bool is_first = true;
  while (true) {
    if (at_ >= in_.size()) return broken("a class is not closed", begin);
    if (peek() == ']' && !is_first) break;
    is_first = false;
    std::optional<std::uint32_t> low;
    std::optional<std::uint32_t> high;
    const std::size_t item = at_;
    QUIRE_RETURN_IF_ERROR(write_class_item(is_negated, low));
    if (peek() != '-' || peek(1) == ']' || at_ + 1 >= in_.size()) continue;
    if (!low) {  // after a set '-' is itself
      out_ += "\\-";
      ++at_;
      continue;
    }
    ++at_;
    const std::size_t dash = out_.size();
    out_ += '-';
    QUIRE_RETURN_IF_ERROR(write_class_item(is_negated, high));
    if (!high) {
      out_.insert(dash, "\\");
    } else if (*high < *low) {
      return broken("a range of a class is reversed", item);
    }
  }
  out_ += ']';
  ++at_;
  note_atom(1);
  return ok_status();
}

// {m}, {m,} or {m,n}; what looks otherwise is no count.
bool PatternWriter::read_count(std::size_t& size, std::uint64_t& min,
                               std::optional<std::uint64_t>& max) const {
  std::size_t at = at_ + 1;
  const auto read_number = [&]() -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const std::size_t begin = at;
    for (; at < in_.size() && is_digit(in_[at]); ++at) {
      value = std::min<std::uint64_t>(value * 10 + static_cast<std::uint64_t>(in_[at] - '0'),
                                      kPatternCountMax + 1);
    }
    return at > begin ? std::optional(value) : std::nullopt;
  };
  const auto low = read_number();
  if (!low) return false;
  min = *low;
  max = low;
  if (at < in_.size() && in_[at] == ',') {
    ++at;
    max = read_number();
  }
  if (at >= in_.size() || in_[at] != '}') return false;
  size = at + 1 - at_;
  return true;
}

Status PatternWriter::write_quantifier() {
  std::size_t size = 1;
  std::uint64_t min = peek() == '+' ? 1 : 0;
  std::optional<std::uint64_t> max;
  if (peek() == '?') max = 1;
  if (peek() == '{' && !read_count(size, min, max)) {
    QUIRE_RETURN_IF_ERROR(begin_atom());
    out_ += "\\{";
    ++at_;
    note_atom(1);
    return ok_status();
  }
  if (atom_ == 0) return broken("a quantifier has nothing to repeat");
  if (atom_has_anchor_) return fail("'^' and '$' cannot be repeated");
  const std::uint64_t count = std::max<std::uint64_t>(max.value_or(min), 1);
  if (count > kPatternCountMax) {
    return fail(fmt::format("a count is above the budget of {}", kPatternCountMax));
  }
  if (max && *max < min) return broken("a count is reversed");
  const std::uint64_t product = count * atom_;
  if (count > 1 && atom_ > 1 && product > kPatternNestedMax) {
    return fail(fmt::format("counts in counts come to {}, above the budget of {}", product,
                            kPatternNestedMax));
  }
  out_ += in_.substr(at_, size);
  at_ += size;
  if (peek() == '?') {  // which of several matches: here all are one
    ++at_;
  } else if (peek() == '+') {
    return fail("possessive quantifiers are not supported");
  }
  groups_.back().count = std::max(groups_.back().count, product);
  atom_ = 0;
  return ok_status();
}

}  // namespace

Result<std::string> rewrite_pattern(std::string_view pattern) {
  if (pattern.size() > kPatternSizeMax) {
    return error(StatusCode::kUnsupported, "the pattern has {} bytes, above the budget of {}",
                 pattern.size(), kPatternSizeMax);
  }
  if (const auto bad = first_invalid_utf8(pattern)) {
    return error(StatusCode::kInvalidArgument, "the pattern is not UTF-8 (at byte {})", *bad);
  }
  return PatternWriter(pattern).write();
}

}  // namespace quire
