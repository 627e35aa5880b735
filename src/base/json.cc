// The reader is a handler of Boost.JSON's parser, which knows the grammar, UTF-8 and surrogates;
// what it refuses beyond that, and what a number is, is decided here. The parser calls itself for
// each level, so that the depth it is given bounds the stack. The library is compiled here and seen
// by no other unit.
#include "base/json.h"

#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/text/utf8.h"

namespace quire {
namespace {

using Kind = Json::Kind;
using boost::json::error_code;

std::string printable(std::string_view text) {
  constexpr std::size_t kShown = 64;
  std::string shown;
  append_json_string(text.substr(0, kShown), shown);
  if (text.size() > kShown) shown += "...";
  return shown;
}

// An open array or object: finished values go in at the top.
struct Frame {
  bool is_object;
  std::string key;  // of the value to come
  std::vector<Json> items;
  std::vector<Json::Member> members;
};

// What the parser calls, by its names. False ends the reading, and refusal() says why.
class Reader {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;

  explicit Reader(const JsonLimits& limits) : limits_(limits) {}

  const std::string& refusal() const { return refusal_; }
  Json take() { return std::move(root_); }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_null(error_code&) { return add(Json()); }
  bool on_bool(bool value, error_code&) { return add(Json(value)); }
  bool on_int64(std::int64_t value, std::string_view, error_code&) { return add(Json(value)); }
  bool on_uint64(std::uint64_t value, std::string_view, error_code&) { return add(Json(value)); }
  bool on_number_part(std::string_view, error_code&) { return true; }  // the text is cut short
  // `about` may be off in its last bits, and stands for an integer of over 64 bits, too: what
  // counts is the text.
  bool on_double(double about, std::string_view text, error_code&) {
    const bool is_integer = text.find_first_of(".eE") == std::string_view::npos;
    if (is_integer && !limits_.huge_integers_are_doubles) {
      return fail("the integer {} does not fit 64 bits", printable(text));
    }
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec == std::errc::result_out_of_range) {
      if (std::abs(about) > 1) return fail("the number {} is out of range", printable(text));
      value = std::copysign(0.0, about);
    }
    return add(Json(value));
  }
  bool on_string_part(std::string_view part, std::size_t, error_code&) { return gather(part); }
  bool on_string(std::string_view part, std::size_t, error_code&) { return add(gathered(part)); }
  bool on_key_part(std::string_view part, std::size_t, error_code&) { return gather(part); }
  bool on_key(std::string_view part, std::size_t, error_code&) {
    frames_.back().key = gathered(part);
    return count();
  }
  bool on_array_begin(error_code&) { return open(false); }
  bool on_object_begin(error_code&) { return open(true); }
  bool on_array_end(std::size_t, error_code&) {
    Json value = Json::array(std::move(frames_.back().items));
    frames_.pop_back();
    return place(std::move(value));
  }
  bool on_object_end(std::size_t, error_code&) {
    std::vector<Json::Member> members = std::move(frames_.back().members);
    frames_.pop_back();
    if (const std::string* twice = duplicate_key(members)) {
      return fail("the key {} appears twice in one object", printable(*twice));
    }
    return place(Json::object(std::move(members)));
  }
  bool on_comment_part(std::string_view, error_code&) { return true; }
  bool on_comment(std::string_view, error_code&) { return true; }

 private:
  template <typename... Args>
  bool fail(fmt::format_string<Args...> format, Args&&... args) {
    refusal_ = fmt::format(format, std::forward<Args>(args)...);
    return false;
  }

  bool gather(std::string_view part) {
    text_ += part;
    return true;
  }
  std::string gathered(std::string_view last) {
    if (text_.empty()) return std::string(last);
    text_ += last;
    return std::exchange(text_, {});
  }

  bool count() {
    if (++values_ <= limits_.values_max) return true;
    return fail("more than {} keys and values", limits_.values_max);
  }

  bool open(bool is_object) {
    frames_.push_back({is_object, {}, {}, {}});
    return count();
  }

  bool add(Json value) { return count() && place(std::move(value)); }

  bool place(Json value) {
    if (frames_.empty()) {
      root_ = std::move(value);
    } else if (frames_.back().is_object) {
      frames_.back().members.emplace_back(std::move(frames_.back().key), std::move(value));
    } else {
      frames_.back().items.push_back(std::move(value));
    }
    return true;
  }

  // By sorting, so that no choice of keys makes it slow.
  static const std::string* duplicate_key(const std::vector<Json::Member>& members) {
    std::vector<const std::string*> keys;
    keys.reserve(members.size());
    for (const auto& [key, value] : members) keys.push_back(&key);
    std::sort(keys.begin(), keys.end(), [](auto a, auto b) { return *a < *b; });
    const auto twice =
        std::adjacent_find(keys.begin(), keys.end(), [](auto a, auto b) { return *a == *b; });
    return twice == keys.end() ? nullptr : *twice;
  }

  const JsonLimits& limits_;
  std::size_t values_ = 0;
  std::vector<Frame> frames_;
  std::string text_;  // of the string or key that has begun
  Json root_;
  std::string refusal_;
};

// Why reading ended before `rest`.
std::string why(const Reader& reader, const error_code& failure, const JsonLimits& limits,
                std::string_view rest) {
  using boost::json::error;
  if (!reader.refusal().empty()) return reader.refusal();
  if (failure == error::too_deep) {
    return fmt::format("nested deeper than {} levels", limits.depth_max);
  }
  if (failure == error::incomplete) return failure.message();
  return fmt::format("{} at {}", failure ? failure.message() : "more than one value",
                     printable(rest.substr(0, 16)));
}

void append_double(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  const std::string_view digits(text.data(), static_cast<std::size_t>(end - text.data()));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

// Depth is bounded where values are read, and small where we build them.
void append_value(const Json& value, std::string& out) {
  switch (value.kind()) {
    case Kind::kNull:
      out += "null";
      break;
    case Kind::kBool:
      out += value.as_bool() ? "true" : "false";
      break;
    case Kind::kInt:
      out += std::to_string(value.as_int());
      break;
    case Kind::kUint:
      out += std::to_string(value.as_uint());
      break;
    case Kind::kDouble:
      append_double(value.as_double(), out);
      break;
    case Kind::kString:
      append_json_string(value.as_string(), out);
      break;
    case Kind::kArray: {
      out += '[';
      const char* separator = "";
      for (const Json& item : value.items()) {
        out += std::exchange(separator, ",");
        append_value(item, out);
      }
      out += ']';
      break;
    }
    case Kind::kObject: {
      out += '{';
      const char* separator = "";
      for (const auto& [key, member] : value.members()) {
        out += std::exchange(separator, ",");
        append_json_string(key, out);
        out += ':';
        append_value(member, out);
      }
      out += '}';
      break;
    }
  }
}

}  // namespace

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "a boolean";
    case Kind::kInt:
    case Kind::kUint:
      return "an integer";
    case Kind::kDouble:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kArray:
      return "an array";
    case Kind::kObject:
      return "an object";
  }
  return "nothing";
}

Json Json::array(std::vector<Json> items) {
  Json json;
  json.value_ = std::move(items);
  return json;
}

Json Json::object(std::vector<Member> members) {
  Json json;
  json.value_ = std::move(members);
  return json;
}

bool Json::as_bool() const {
  QUIRE_CHECK(is_bool(), "JSON value is {}, not a boolean", kind_name(kind()));
  return std::get<bool>(value_);
}

std::int64_t Json::as_int() const {
  QUIRE_CHECK(is_int(), "JSON value is {}, not an int64", kind_name(kind()));
  return std::get<std::int64_t>(value_);
}

std::uint64_t Json::as_uint() const {
  if (kind() == Kind::kUint) return std::get<std::uint64_t>(value_);
  QUIRE_CHECK(is_int() && as_int() >= 0, "JSON value is {}, not a uint64", kind_name(kind()));
  return static_cast<std::uint64_t>(as_int());
}

double Json::as_double() const {
  if (is_int()) return static_cast<double>(as_int());
  if (kind() == Kind::kUint) return static_cast<double>(as_uint());
  QUIRE_CHECK(kind() == Kind::kDouble, "JSON value is {}, not a number", kind_name(kind()));
  return std::get<double>(value_);
}

const std::string& Json::as_string() const {
  QUIRE_CHECK(is_string(), "JSON value is {}, not a string", kind_name(kind()));
  return std::get<std::string>(value_);
}

const std::vector<Json>& Json::items() const {
  QUIRE_CHECK(is_array(), "JSON value is {}, not an array", kind_name(kind()));
  return std::get<std::vector<Json>>(value_);
}

const std::vector<Json::Member>& Json::members() const {
  QUIRE_CHECK(is_object(), "JSON value is {}, not an object", kind_name(kind()));
  return std::get<std::vector<Member>>(value_);
}

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const auto& [name, value] : members()) {
    if (name == key) return &value;
  }
  return nullptr;
}

void Json::push(Json item) {
  QUIRE_CHECK(is_array(), "push to {}", kind_name(kind()));
  std::get<std::vector<Json>>(value_).push_back(std::move(item));
}

void Json::set(std::string key, Json value) {
  if (const Json* present = find(key)) {
    const_cast<Json&>(*present) = std::move(value);
    return;
  }
  QUIRE_CHECK(is_object(), "set '{}' in {}", key, kind_name(kind()));
  std::get<std::vector<Member>>(value_).emplace_back(std::move(key), std::move(value));
}

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return error(StatusCode::kInvalidArgument, "JSON: {} bytes, at most {} are read", text.size(),
                 limits.bytes_max);
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    return error(StatusCode::kInvalidArgument, "JSON, at byte 0: a byte order mark");
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return error(StatusCode::kInvalidArgument, "JSON, at byte {}: a NUL", nul);
  }
  boost::json::parse_options options;
  options.max_depth = limits.depth_max;
  boost::json::basic_parser<Reader> parser(options, limits);
  try {
    error_code failure;
    const std::size_t at = parser.write_some(false, text.data(), text.size(), failure);
    if (!failure && at == text.size()) return parser.handler().take();
    return error(StatusCode::kInvalidArgument, "JSON, before byte {}: {}",
                 std::min(at + 1, text.size()),
                 why(parser.handler(), failure, limits, text.substr(at)));
  } catch (const std::exception& e) {
    return error(StatusCode::kInternal, "JSON: {}", e.what());
  }
}

std::string dump(const Json& value) {
  std::string out;
  append_value(value, out);
  return out;
}

// Not by the library, which leaves DEL as it is and repairs nothing.
void append_json_string(std::string_view text, std::string& out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string repaired;
  if (first_invalid_utf8(text)) {
    Utf8Stream stream;
    stream.append(text, repaired);
    stream.flush(repaired);
    text = repaired;
  }
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          out += "\\u00";
          out += kDigits[static_cast<unsigned char>(c) >> 4];
          out += kDigits[c & 0xF];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

}  // namespace quire
