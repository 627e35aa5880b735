// Parameters: what a model's Modelfile and a request's `options` may set: of which type each is and
// within which bounds. One table for both, so that no model is made with a parameter for which each
// of its requests would be refused.
// Pure; any thread. Used by modelfile and by serve's Ollama dialect.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace quire::store {

inline constexpr std::size_t kStopsMax = 64;
inline constexpr std::size_t kStopSizeMax = 4096;  // bytes
inline constexpr double kSeedMax = 9223372036854775807.0;

enum class ParameterType : std::uint8_t { kInteger, kFloat, kBoolean, kTexts };

struct Parameter {
  std::string_view name;
  ParameterType type;
  double min = 0, max = 0;    // of numbers
  bool is_gone = false;       // Ollama takes it in a Modelfile and warns
  bool is_of_requests = false;  // Modelfiles do not know it
};

// Null: there is none of that name.
const Parameter* find_parameter(std::string_view name);

// What a value would have to be, "from 0 to 1", "of type boolean"; nothing: it is so.
std::optional<std::string> find_fault(const Parameter& parameter, const Json& value);

// The value that a Modelfile's text means; of one of several texts that text. kInvalidArgument: it
// is of another type, out of bounds, or there is no parameter of that name.
Result<Json> parameter_value(std::string_view name, std::string_view text);

}  // namespace quire::store
