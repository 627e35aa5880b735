#include "host/repository/expression/texts.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include "base/text/ascii.h"

namespace quire {
namespace {

using Kind = ExpressionKind;
using Value = ExpressionValue;
using Arguments = std::vector<Value>;

constexpr std::size_t kSoughtMax = 1024;  // bytes: a search takes the product of both lengths

Status too_long() {
  return bad_value(fmt::format("what is looked for has over {} bytes", kSoughtMax));
}

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += begins_character(c) ? 1 : 0;
  return count;
}

// The byte at which character `index` begins; the end, where there are not as many.
std::size_t place_of(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (begins_character(text[at]) && index-- == 0) break;
  }
  return at;
}

// A constant of a call.
Result<std::string> only_text(const Value& value) {
  if (value.texts.size() == 1) return value.texts.front();
  return bad_value(fmt::format("one text is needed, not {}", value.texts.size()));
}

template <typename Change>
Result<Value> each_text(Arguments& arguments, Change change) {
  std::size_t bytes = 0;
  for (std::string& text : arguments[0].texts) {
    text = change(text);
    bytes += text.size() + kExpressionTextRoom;
    if (bytes > kExpressionBytesMax) return too_much_text();
  }
  return std::move(arguments[0]);
}

Result<Value> ask_texts(Arguments& arguments, bool (*is_so)(std::string_view, std::string_view)) {
  QUIRE_ASSIGN_OR_RETURN(const std::string other, only_text(arguments[1]));
  Value made{.kind = Kind::kBool, .shape = arguments[0].shape};
  for (const std::string& text : arguments[0].texts) {
    made.integers.push_back(is_so(text, other) ? 1 : 0);
  }
  return made;
}

template <typename T>
bool read_all(std::string_view text, T& value) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\n')) text.remove_suffix(1);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

}  // namespace

Status too_much_text() {
  return error(StatusCode::kInvalidArgument, "its texts would have over {} bytes",
               kExpressionBytesMax);
}

Result<Value> add_texts(const Value& a, const Value& b) {
  Value made{.kind = Kind::kText};
  QUIRE_ASSIGN_OR_RETURN(made.shape, broadcast(a.shape, b.shape));
  const auto x = broadcast_places(a.shape, made.shape), y = broadcast_places(b.shape, made.shape);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    bytes += a.texts[x[i]].size() + b.texts[y[i]].size() + kExpressionTextRoom;
    if (bytes > kExpressionBytesMax) return too_much_text();
    made.texts.push_back(a.texts[x[i]] + b.texts[y[i]]);
  }
  return made;
}

Result<Value> to_integers(Arguments& arguments) {
  Value& from = arguments[0];
  Value made{.kind = Kind::kInteger, .shape = from.shape, .integers = std::move(from.integers)};
  for (const double number : from.numbers) {
    if (!(std::fabs(number) < 9.2e18)) return bad_value(fmt::format("{} is no integer", number));
    made.integers.push_back(static_cast<std::int64_t>(number));
  }
  for (const std::string& text : from.texts) {
    if (!read_all(text, made.integers.emplace_back())) {
      return bad_value(fmt::format("'{}' is no integer", text.substr(0, kExpressionShown)));
    }
  }
  return made;
}

Result<Value> to_numbers(Arguments& arguments) {
  Value& from = arguments[0];
  if (from.kind == Kind::kNumber) return std::move(from);
  Value made{.kind = Kind::kNumber, .shape = from.shape};
  made.numbers.assign(from.integers.begin(), from.integers.end());
  for (const std::string& text : from.texts) {
    if (!read_all(text, made.numbers.emplace_back())) {
      return bad_value(fmt::format("'{}' is no number", text.substr(0, kExpressionShown)));
    }
  }
  return made;
}

Result<Value> to_texts(Arguments& arguments) {
  Value& from = arguments[0];
  if (from.kind == Kind::kText) return std::move(from);
  Value made{.kind = Kind::kText, .shape = from.shape};
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < from.count(); ++i) {
    const std::string text = from.kind == Kind::kNumber ? fmt::format("{}", from.numbers[i])
                             : from.kind == Kind::kBool ? (from.integers[i] != 0 ? "true" : "false")
                                                        : fmt::format("{}", from.integers[i]);
    bytes += text.size() + kExpressionTextRoom;
    if (bytes > kExpressionBytesMax) return too_much_text();
    made.texts.push_back(text);
  }
  return made;
}

Result<Value> upper_texts(Arguments& arguments) {
  return each_text(arguments, [](std::string text) {
    for (char& c : text) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return text;
  });
}

Result<Value> lower_texts(Arguments& arguments) {
  return each_text(arguments, [](const std::string& text) { return lower_ascii(text); });
}

Result<Value> trim_texts(Arguments& arguments) {
  return each_text(arguments, [](const std::string& text) {
    constexpr const char* kSpaces = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kSpaces);
    if (begin == std::string::npos) return std::string();
    return text.substr(begin, text.find_last_not_of(kSpaces) + 1 - begin);
  });
}

Result<Value> replace_in_texts(Arguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const std::string from, only_text(arguments[1]));
  QUIRE_ASSIGN_OR_RETURN(const std::string to, only_text(arguments[2]));
  if (from.empty()) return bad_value("what is replaced must not be empty");
  if (from.size() > kSoughtMax) return too_long();
  std::size_t bytes = 0;
  for (std::string& text : arguments[0].texts) {
    std::string made;
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t found = std::min(text.find(from, at), text.size());
      made.append(text, at, found - at);
      if (found < text.size()) made += to;
      if (bytes + made.size() > kExpressionBytesMax) return too_much_text();
      at = found < text.size() ? found + from.size() : text.size() + 1;
    }
    bytes += made.size();
    text = std::move(made);
  }
  return std::move(arguments[0]);
}

// From a character to before another one; negative ones count from the end.
Result<Value> cut_texts(Arguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const std::int64_t begin, only_integer(arguments[1]));
  std::int64_t end = INT64_MAX;
  if (arguments.size() > 2) {
    QUIRE_ASSIGN_OR_RETURN(end, only_integer(arguments[2]));
  }
  return each_text(arguments, [&](const std::string& text) {
    const auto count = static_cast<std::int64_t>(count_characters(text));
    const auto settle = [&](std::int64_t at) {
      if (at < 0) at = std::max<std::int64_t>(at, -count) + count;
      return place_of(text, static_cast<std::size_t>(std::min(at, count)));
    };
    const std::size_t from = settle(begin), to = settle(end);
    return from < to ? text.substr(from, to - from) : std::string();
  });
}

Result<Value> text_lengths(Arguments& arguments) {
  Value made{.kind = Kind::kInteger, .shape = arguments[0].shape};
  for (const std::string& text : arguments[0].texts) {
    made.integers.push_back(static_cast<std::int64_t>(count_characters(text)));
  }
  return made;
}

Result<Value> texts_contain(Arguments& arguments) {
  if (!arguments[1].texts.empty() && arguments[1].texts.front().size() > kSoughtMax) {
    return too_long();
  }
  return ask_texts(arguments, [](std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
  });
}

Result<Value> texts_start(Arguments& arguments) {
  return ask_texts(arguments, [](std::string_view text, std::string_view part) {
    return text.starts_with(part);
  });
}

Result<Value> texts_end(Arguments& arguments) {
  return ask_texts(arguments, [](std::string_view text, std::string_view part) {
    return text.ends_with(part);
  });
}

// Those of the last dimension become one.
Result<Value> join_texts(Arguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const std::string between, only_text(arguments[1]));
  const Value& from = arguments[0];
  Value made{.kind = Kind::kText, .shape = from.shape};
  if (made.shape.empty()) made.shape.push_back(1);
  const auto width = static_cast<std::size_t>(from.shape.empty() ? 1 : from.shape.back());
  made.shape.back() = 1;
  QUIRE_ASSIGN_OR_RETURN(const std::size_t rows, expression_count(made.shape));
  std::size_t bytes = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    std::string& text = made.texts.emplace_back();
    for (std::size_t i = 0; i < width; ++i) {
      if (i > 0) text += between;
      text += from.texts[row * width + i];
      if (bytes + text.size() > kExpressionBytesMax) return too_much_text();
    }
    bytes += text.size();
  }
  return made;
}

}  // namespace quire
