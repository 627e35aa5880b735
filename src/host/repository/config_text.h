// The protobuf text format as files of the repository have it: comments, messages in braces or
// angle brackets, lists, strings in pieces with C's escapes. What it means is not known here: names
// and values come out as written, each with its line; config_values reads them by the tables.
// Bounds: kConfigBytesMax bytes, kConfigDepthMax messages in each other, kConfigValuesMax values.
// Pure functions; any thread. Used by model_config.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace quire {

inline constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kConfigDepthMax = 32;
inline constexpr std::size_t kConfigValuesMax = 100'000;

struct ConfigMember;

struct ConfigValue {
  enum class Kind : std::uint8_t {
    kNothing,  // an empty list
    kString,   // in quotes
    kWord,     // a number or a name, a sign before it
    kMessage,
  };
  Kind kind = Kind::kNothing;
  std::string text;
  std::vector<ConfigMember> members;
  std::size_t line = 0;  // from 1; 0: of JSON
};

struct ConfigMember {
  std::string name;
  ConfigValue value;  // a list is so many members of one name
};

// A message. kInvalidArgument: "line 3: ...".
Result<ConfigValue> parse_config_text(std::string_view text);

// An object as a message: numbers and names may be strings in it, as JSON of protobufs has them.
Result<ConfigValue> config_value_of(const Json& json);

}  // namespace quire
