#include "text/go_template/go_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace quire::go {
namespace {

constexpr int kWidthMax = 1000;

struct Verb {
  bool is_left = false, has_zeros = false, has_sign = false, has_blank = false, is_other = false;
  int width = 0;
  std::optional<int> precision;
  char letter = 'v';
};

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string padded(std::string text, const Verb& verb, bool is_number) {
  const auto width = static_cast<std::size_t>(verb.width);
  const std::size_t size = count_characters(text);
  if (size >= width) return text;
  const std::size_t missing = width - size;
  if (verb.is_left) return text + std::string(missing, ' ');
  if (!verb.has_zeros || !is_number) return std::string(missing, ' ') + text;
  const bool is_signed = text.starts_with('-') || text.starts_with('+');
  return text.substr(0, is_signed ? 1 : 0) + std::string(missing, '0') +
         text.substr(is_signed ? 1 : 0);
}

std::string_view type_name(const Json& value) {
  if (value.is_string()) return "string";
  if (value.is_bool()) return "bool";
  if (value.is_int()) return "int";
  if (value.is_number()) return "float64";
  return value.is_array() ? "[]interface {}" : "map[string]interface {}";
}

std::string no_such_verb(const Verb& verb, const Value& value) {
  if (value == nullptr || value->is_null()) return fmt::format("%!{}(<nil>)", verb.letter);
  return fmt::format("%!{}({}={})", verb.letter, type_name(*value), printed(value));
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

std::string with_sign(std::string text, const Verb& verb) {
  if (text.starts_with('-')) return text;
  if (verb.has_sign) return "+" + text;
  return verb.has_blank ? " " + text : text;
}

std::string hex_of(std::string_view text, bool is_upper) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += is_upper ? fmt::format("{:02X}", byte) : fmt::format("{:02x}", byte);
  }
  return out;
}

std::string of_integer(const Value& value, const Verb& verb) {
  const std::int64_t number = value->as_int();
  switch (verb.letter) {
    case 'd': return padded(with_sign(std::to_string(number), verb), verb, true);
    case 'x': return padded(with_sign(fmt::format("{:x}", number), verb), verb, true);
    case 'X': return padded(with_sign(fmt::format("{:X}", number), verb), verb, true);
    case 'o': return padded(with_sign(fmt::format("{:o}", number), verb), verb, true);
    case 'b': return padded(with_sign(fmt::format("{:b}", number), verb), verb, true);
    case 'c': return padded(number >= 0 && number < 0x80 ? std::string(1, static_cast<char>(number))
                                                         : "\xEF\xBF\xBD", verb, false);
    default: return no_such_verb(verb, value);
  }
}

std::string of_float(const Value& value, const Verb& verb) {
  const double number = value->as_double();
  const int precision = verb.precision.value_or(6);
  switch (verb.letter) {
    case 'f':
    case 'F': return padded(with_sign(fmt::format("{:.{}f}", number, precision), verb), verb, true);
    case 'e': return padded(with_sign(fmt::format("{:.{}e}", number, precision), verb), verb, true);
    case 'g': return padded(with_sign(verb.precision ? fmt::format("{:.{}g}", number, precision)
                                                     : go_number(*value), verb), verb, true);
    default: return no_such_verb(verb, value);
  }
}

std::string of_text(const Value& value, const Verb& verb) {
  std::string text = value->as_string();
  if (verb.precision && verb.letter != 'v') {
    std::size_t end = 0;
    for (int left = *verb.precision; end < text.size(); ++end) {
      const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
      if (begins && left-- == 0) break;
    }
    text.resize(end);
  }
  switch (verb.letter) {
    case 's': return padded(std::move(text), verb, false);
    case 'q': return padded(quoted(text), verb, false);
    case 'x': return padded(hex_of(text, false), verb, false);
    case 'X': return padded(hex_of(text, true), verb, false);
    default: return no_such_verb(verb, value);
  }
}

std::string formatted(const Value& value, const Verb& verb) {
  const bool is_nil = value == nullptr || value->is_null();
  if (verb.letter == 'v') {
    if (is_nil) return padded("<nil>", verb, false);
    if (verb.is_other && value->is_string()) return padded(quoted(value->as_string()), verb, false);
    return padded(printed(value), verb, value->is_number());
  }
  if (verb.letter == 'T') {
    return padded(is_nil ? "<nil>" : std::string(type_name(*value)), verb, false);
  }
  if (is_nil) return no_such_verb(verb, value);
  if (value->is_int()) return of_integer(value, verb);
  if (value->is_number()) return of_float(value, verb);
  if (value->is_string()) return of_text(value, verb);
  if (value->is_bool() && verb.letter == 't') return padded(printed(value), verb, false);
  if (!value->is_bool() && (verb.letter == 's' || verb.letter == 'd')) {
    return padded(printed(value), verb, false);
  }
  return no_such_verb(verb, value);
}

// Behind the '%'. The place behind the verb; nothing: the format ends before it.
std::optional<std::size_t> read_verb(std::string_view format, std::size_t at, Verb& verb) {
  for (; at < format.size(); ++at) {
    const char c = format[at];
    if (c == '-') {
      verb.is_left = true;
    } else if (c == '0') {
      verb.has_zeros = true;
    } else if (c == '+') {
      verb.has_sign = true;
    } else if (c == ' ') {
      verb.has_blank = true;
    } else if (c == '#') {
      verb.is_other = true;
    } else {
      break;
    }
  }
  const auto number = [&](int value) {
    for (; at < format.size() && format[at] >= '0' && format[at] <= '9'; ++at) {
      value = std::min(value * 10 + (format[at] - '0'), kWidthMax);
    }
    return value;
  };
  verb.width = number(0);
  if (at < format.size() && format[at] == '.') {
    ++at;
    verb.precision = number(0);
  }
  if (at >= format.size()) return std::nullopt;
  verb.letter = format[at];
  return at + 1;
}

}  // namespace

std::string go_number(const Json& number) {
  if (number.kind() != Json::Kind::kDouble) return dump(number);
  const double value = number.as_double();
  constexpr double kPlainMax = 1e21;
  const bool is_whole = value == std::floor(value) && std::abs(value) < kPlainMax;
  if (is_whole) return fmt::format("{:.0f}", value);
  const bool is_plain = std::abs(value) >= 1e-4 && std::abs(value) < kPlainMax;
  return is_plain ? fmt::format("{}", value) : fmt::format("{:g}", value);
}

static Status too_long(std::size_t size_max) {
  return error(StatusCode::kResourceExhausted, "printf writes more than {} bytes", size_max);
}

Result<std::string> go_format(std::string_view format, std::span<const Value> arguments,
                              std::size_t size_max) {
  std::string out;
  std::size_t used = 0;
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    Verb verb;
    const auto next = read_verb(format, at + 1, verb);
    if (!next) {
      out += "%!(NOVERB)";
      break;
    }
    at = *next;
    if (verb.letter == '%') {
      out += '%';
    } else if (used >= arguments.size()) {
      out += fmt::format("%!{}(MISSING)", verb.letter);
    } else {
      out += formatted(arguments[used++], verb);
    }
    if (out.size() > size_max) return too_long(size_max);
  }
  if (used < arguments.size()) {
    out += "%!(EXTRA ";
    for (std::size_t i = used; i < arguments.size(); ++i) {
      const bool is_nil = arguments[i] == nullptr || arguments[i]->is_null();
      out += i > used ? ", " : "";
      out += is_nil ? "<nil>"
                    : fmt::format("{}={}", type_name(*arguments[i]), printed(arguments[i]));
      if (out.size() > size_max) return too_long(size_max);
    }
    out += ')';
  }
  return out;
}

}  // namespace quire::go
