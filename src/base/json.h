// Json: a small plain JSON value, the one reader for JSON that others wrote, and the writer of
// answers. The reader is built for hostile text: depth, keys and size are bounded, duplicate keys,
// byte order marks, invalid UTF-8, lone surrogates, NaN, exponents of over 32 bits and trailing
// bytes are refused, and an integer that fits no 64-bit type is an error, never silently a double.
// Objects keep their order. Values are plain: copyable, comparable, any thread.
// Used by formats (model files), serve (requests and answers) and apps.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace quire {

class Json {
 public:
  // kInt is any integer of int64_t; kUint only those above; kDouble what has a point or exponent.
  enum class Kind : std::uint8_t { kNull, kBool, kInt, kUint, kDouble, kString, kArray, kObject };
  using Member = std::pair<std::string, Json>;

  Json() = default;
  Json(std::nullptr_t) {}
  Json(std::same_as<bool> auto value) : value_(value) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Json(T value) {
    if (std::in_range<std::int64_t>(value)) {
      value_ = static_cast<std::int64_t>(value);
    } else {
      value_ = static_cast<std::uint64_t>(value);
    }
  }
  Json(double value) : value_(value) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(const char* value) : value_(std::string(value)) {}

  static Json array(std::vector<Json> items = {});
  static Json object(std::vector<Member> members = {});

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_bool() const { return kind() == Kind::kBool; }
  bool is_int() const { return kind() == Kind::kInt; }
  bool is_number() const { return kind() >= Kind::kInt && kind() <= Kind::kDouble; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_object() const { return kind() == Kind::kObject; }

  // The value of a kind the caller has asked for; another kind is a programmer's error.
  bool as_bool() const;
  std::int64_t as_int() const;
  std::uint64_t as_uint() const;  // of a kUint or a kInt >= 0
  double as_double() const;       // of any number
  const std::string& as_string() const;
  const std::vector<Json>& items() const;      // of an array
  const std::vector<Member>& members() const;  // of an object

  // The member's value; null if there is none or this is no object.
  const Json* find(std::string_view key) const;

  void push(Json item);                   // to an array
  void set(std::string key, Json value);  // in an object: replaces or appends

  bool operator==(const Json&) const = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string,
               std::vector<Json>, std::vector<Member>>
      value_;
};

// "null", "a boolean", "an integer", "a number", "a string", "an array", "an object": for messages.
std::string_view kind_name(Json::Kind kind);

struct JsonLimits {
  std::size_t bytes_max = std::size_t{64} << 20;
  std::size_t depth_max = 64;
  std::size_t values_max = std::size_t{1} << 20;  // keys, items and scalars of the whole text
  bool huge_integers_are_doubles = false;         // Hugging Face writes 10^30 for "no bound"
};

// Errors are sentences with the byte offset.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

// Compact, always valid UTF-8 (what is ill-formed becomes U+FFFD). Doubles are the shortest text
// that reads back as the same double; those that are not finite become null.
std::string dump(const Json& value);

// Appends `text` as a JSON string, quoted and escaped.
void append_json_string(std::string_view text, std::string& out);

}  // namespace quire
