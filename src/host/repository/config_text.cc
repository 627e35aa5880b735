#include "host/repository/config_text.h"

#include <fmt/format.h>

#include "base/text/ascii.h"

#include <optional>
#include <utility>

namespace quire {
namespace {

using Kind = ConfigValue::Kind;

bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '.' || c == '+' || c == '-';
}

void append_utf8(std::uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<ConfigValue> read() {
    ConfigValue message{.kind = Kind::kMessage, .line = 1};
    QUIRE_RETURN_IF_ERROR(read_members(message, '\0', 0));
    return message;
  }

 private:
  template <typename... Args>
  Status wrong(fmt::format_string<Args...> format, Args&&... args) const {
    return error(StatusCode::kInvalidArgument, "line {}: {}", line_,
                 fmt::format(format, std::forward<Args>(args)...));
  }

  char peek() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        line_ += c == '\n' ? 1 : 0;
        ++at_;
      } else {
        return c;
      }
    }
    return '\0';
  }
  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  std::string what_comes() {
    const char c = peek();
    return c == '\0' ? "the end" : fmt::format("'{}'", c);
  }

  Status count() {
    if (++values_ <= kConfigValuesMax) return ok_status();
    return wrong("there are more than {} values", kConfigValuesMax);
  }

  // `end` is the brace that closes it; '\0': the end of the text.
  Status read_members(ConfigValue& message, char end, std::size_t depth) {
    if (depth > kConfigDepthMax) {
      return wrong("messages are nested over {} deep", kConfigDepthMax);
    }
    while (true) {
      const char c = peek();
      if (c == '\0' && end != '\0') return wrong("a message has no end: '{}' is missing", end);
      if (c == '\0' && at_ < text_.size()) return wrong("a zero byte");
      if (c == end) {
        if (end != '\0') ++at_;
        return ok_status();
      }
      QUIRE_RETURN_IF_ERROR(read_member(message, depth));
      if (!take(',')) take(';');
    }
  }

  Status read_member(ConfigValue& message, std::size_t depth) {
    const char first = peek();
    if (!is_word(first) || is_digit(first) || first == '-' || first == '+' || first == '.') {
      return wrong("expected the name of a field, not {}", what_comes());
    }
    std::string name;
    while (at_ < text_.size() && is_word(text_[at_])) name += text_[at_++];
    const bool has_colon = take(':');
    if (take('[')) return read_list(message, name, depth);
    if (!has_colon && peek() != '{' && peek() != '<') {
      return wrong("'{}' wants a ':' and a value, not {}", name, what_comes());
    }
    return read_one(message, name, depth);
  }

  Status read_list(ConfigValue& message, const std::string& name, std::size_t depth) {
    if (take(']')) {
      message.members.push_back({name, {.kind = Kind::kNothing, .line = line_}});
      return count();
    }
    do {
      QUIRE_RETURN_IF_ERROR(read_one(message, name, depth));
    } while (take(','));
    if (take(']')) return ok_status();
    return wrong("the list of '{}' wants a ',' or a ']', not {}", name, what_comes());
  }

  Status read_one(ConfigValue& message, const std::string& name, std::size_t depth) {
    QUIRE_RETURN_IF_ERROR(count());
    const char c = peek();
    ConfigValue value{.line = line_};
    if (c == '{' || c == '<') {
      ++at_;
      value.kind = Kind::kMessage;
      QUIRE_RETURN_IF_ERROR(read_members(value, c == '{' ? '}' : '>', depth + 1));
    } else if (c == '"' || c == '\'') {
      value.kind = Kind::kString;
      while (peek() == '"' || peek() == '\'') QUIRE_RETURN_IF_ERROR(read_string(value.text));
    } else if (is_word(c)) {
      value.kind = Kind::kWord;
      if (c == '-') {  // which may stand apart
        ++at_;
        value.text = "-";
        if (!is_word(peek())) return wrong("'{}' has a '-' and no number", name);
      }
      while (at_ < text_.size() && is_word(text_[at_])) value.text += text_[at_++];
    } else {
      return wrong("'{}' wants a value, not {}", name, what_comes());
    }
    message.members.push_back({name, std::move(value)});
    return ok_status();
  }

  Status read_string(std::string& out) {
    const char quote = text_[at_++];
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == quote) return ok_status();
      if (c == '\n') break;
      if (c != '\\') {
        out += c;
        continue;
      }
      QUIRE_RETURN_IF_ERROR(read_escape(out));
    }
    return wrong("a string has no end");
  }

  // So many digits of a base, at least one; nothing: there is none.
  std::optional<std::uint32_t> read_number(std::uint32_t base, int digits_max) {
    std::optional<std::uint32_t> number;
    for (int i = 0; i < digits_max && at_ < text_.size(); ++i, ++at_) {
      const char c = text_[at_];
      std::uint32_t digit = 99;
      if (is_digit(c)) digit = static_cast<std::uint32_t>(c - '0');
      if (c >= 'a' && c <= 'f') digit = static_cast<std::uint32_t>(c - 'a' + 10);
      if (c >= 'A' && c <= 'F') digit = static_cast<std::uint32_t>(c - 'A' + 10);
      if (digit >= base) break;
      number = number.value_or(0) * base + digit;
    }
    return number;
  }

  Status read_escape(std::string& out) {
    if (at_ >= text_.size()) return wrong("a string has no end");
    const char c = text_[at_++];
    static constexpr std::pair<char, char> kPlain[] = {
        {'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'a', '\a'},  {'b', '\b'}, {'f', '\f'},
        {'v', '\v'}, {'?', '?'},  {'"', '"'},  {'\'', '\''}, {'\\', '\\'}};
    for (const auto& [name, byte] : kPlain) {
      if (c != name) continue;
      out += byte;
      return ok_status();
    }
    if (c == 'x' || c == 'X') {
      const auto byte = read_number(16, 2);
      if (!byte) return wrong("\\x wants hexadecimal digits");
      out += static_cast<char>(*byte);
      return ok_status();
    }
    if (c == 'u' || c == 'U') {
      const std::size_t begin = at_;
      const int digits = c == 'u' ? 4 : 8;
      const auto code = read_number(16, digits);
      const bool is_whole = at_ - begin == static_cast<std::size_t>(digits);
      const bool is_good = is_whole && *code <= 0x10FFFF && (*code < 0xD800 || *code > 0xDFFF);
      if (!is_good) return wrong("\\{} wants {} digits of a character", c, digits);
      append_utf8(*code, out);
      return ok_status();
    }
    --at_;
    const auto byte = read_number(8, 3);
    if (!byte || *byte > 255) return wrong("a string has an escape that is not known: \\{}", c);
    out += static_cast<char>(*byte);
    return ok_status();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t values_ = 0;
};

void add_json(const std::string& name, const Json& json, ConfigValue& message) {
  ConfigValue value;
  switch (json.kind()) {
    case Json::Kind::kNull: value.kind = Kind::kNothing; break;
    case Json::Kind::kString:
      value.kind = Kind::kString;
      value.text = json.as_string();
      break;
    case Json::Kind::kArray:
      for (const Json& item : json.items()) add_json(name, item, message);
      if (!json.items().empty()) return;
      break;
    case Json::Kind::kObject:
      value.kind = Kind::kMessage;
      for (const auto& [key, member] : json.members()) add_json(key, member, value);
      break;
    default:
      value.kind = Kind::kWord;
      value.text = dump(json);
  }
  message.members.push_back({name, std::move(value)});
}

}  // namespace

Result<ConfigValue> parse_config_text(std::string_view text) {
  if (text.size() > kConfigBytesMax) {
    return error(StatusCode::kInvalidArgument, "it has {} bytes; at most {} are read", text.size(),
                 kConfigBytesMax);
  }
  return Reader(text).read();
}

Result<ConfigValue> config_value_of(const Json& json) {
  if (!json.is_object()) {
    return error(StatusCode::kInvalidArgument, "expected an object, got {}",
                 kind_name(json.kind()));
  }
  ConfigValue message{.kind = Kind::kMessage};
  for (const auto& [key, member] : json.members()) add_json(key, member, message);
  return message;
}

}  // namespace quire
