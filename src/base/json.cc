// The reader is a SAX consumer of the nlohmann parser, which is iterative, so depth costs no stack.
// That parser takes a NUL as the end and skips a byte order mark: both are looked for here.
#include "base/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace quire {
namespace {

using Kind = Json::Kind;

// Counts what the parser has consumed, so that every error can say where.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* count) : at_(at), count_(count) {}
  const char& operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* count_;
};

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

class Reader {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  Reader(const JsonLimits& limits, const std::size_t& consumed)
      : limits_(limits), consumed_(consumed) {}

  Status status() const { return status_; }
  Json take() { return std::move(root_); }

  bool null() { return add(Json()); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(number_integer_t value) { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) { return add(Json(value)); }
  bool number_float(number_float_t value, const string_t& text) {
    const bool is_integer = text.find_first_of(".eE") == string_t::npos;
    if (is_integer && !limits_.huge_integers_are_doubles) {
      return fail("the integer {} does not fit 64 bits", printable(text));
    }
    return add(Json(value));
  }
  bool string(string_t& value) { return add(Json(std::move(value))); }
  bool binary(binary_t&) { return fail("binary values are not JSON"); }
  bool start_object(std::size_t) { return open(true); }
  bool start_array(std::size_t) { return open(false); }
  bool key(string_t& value) {
    frames_.back().key = std::move(value);
    return count();
  }
  bool end_array() {
    Json value = Json::array(std::move(frames_.back().items));
    frames_.pop_back();
    return place(std::move(value));
  }
  bool end_object() {
    std::vector<Json::Member> members = std::move(frames_.back().members);
    frames_.pop_back();
    if (const std::string* twice = duplicate_key(members)) {
      return fail("the key {} appears twice in one object", printable(*twice));
    }
    return place(Json::object(std::move(members)));
  }
  bool parse_error(std::size_t, const std::string& token, const nlohmann::json::exception& e) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: why": only the why.
    std::string_view why = e.what();
    if (const auto colon = why.find(": "); colon != std::string_view::npos) {
      why = why.substr(colon + 2);
    }
    if (e.id == 406) return fail("the number {} is out of range", printable(token));
    return fail("{}", why);
  }

 private:
  template <typename... Args>
  bool fail(fmt::format_string<Args...> format, Args&&... args) {
    status_ = error(StatusCode::kInvalidArgument, "JSON, before byte {}: {}", consumed_,
                    fmt::format(format, std::forward<Args>(args)...));
    return false;
  }

  bool count() {
    if (++values_ <= limits_.values_max) return true;
    return fail("more than {} keys and values", limits_.values_max);
  }

  bool open(bool is_object) {
    if (frames_.size() >= limits_.depth_max) {
      return fail("nested deeper than {} levels", limits_.depth_max);
    }
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
  const std::size_t& consumed_;
  std::size_t values_ = 0;
  std::vector<Frame> frames_;
  Json root_;
  Status status_;
};

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
  std::size_t consumed = 0;
  Reader reader(limits, consumed);
  const CountingIterator begin(text.data(), &consumed);
  const CountingIterator end(text.data() + text.size(), &consumed);
  try {
    if (!nlohmann::json::sax_parse(begin, end, &reader)) return reader.status();
  } catch (const std::exception& e) {
    return error(StatusCode::kInternal, "JSON, before byte {}: {}", consumed, e.what());
  }
  return reader.take();
}

std::string dump(const Json& value) {
  std::string out;
  append_value(value, out);
  return out;
}

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
