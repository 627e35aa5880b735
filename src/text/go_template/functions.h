// The functions that Go templates have, and those that Ollama adds; and how values are written.
// Values are JSON: what Go has beside it (channels, functions, structs with methods) no template of
// a model ever sees. Arrays of objects and objects are written as JSON, as Ollama's own types are.
// Pure; any thread. Used by parser and renderer.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace quire::go {

// Shared with the data that it was taken from; null is nil.
using Value = std::shared_ptr<const Json>;

struct Now {
  std::int64_t unix_seconds = 0;
  std::int32_t utc_offset_seconds = 0;
};

struct Function {
  std::string_view name;
  std::size_t arguments_min = 0, arguments_max = 0;
  // `size_max`: bytes of what it makes.
  Result<Value> (*call)(std::span<const Value> arguments, const Now& now, std::size_t size_max);
};

// What `len (slice L ...)` is read as, by which templates ask for the last message at each one:
// nothing is copied. No template can write this name.
inline constexpr std::string_view kSliceLength = "len slice";

// Null: there is none. "and" and "or", which do not look at all arguments, are called with one.
const Function* find_function(std::string_view name);

bool is_true(const Value& value);
// As {{ }} writes it.
std::string printed(const Value& value);
// As Go marshals: compact, <, > and & escaped.
std::string marshalled(const Json& value);

}  // namespace quire::go
