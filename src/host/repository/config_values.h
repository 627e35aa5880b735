// From names and values as somebody wrote them to the message that they mean: fields are looked up
// in the tables, types and ranges checked, and what was left out has its default. What this program
// does not do is refused, what changes no answer becomes a warning.
// Pure functions; any thread. Used by model_config.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "host/repository/config_schema.h"
#include "host/repository/config_text.h"

namespace quire {

struct ConfigReading {
  Json json;  // every field of the message but messages and choices that were left out
  std::vector<std::string> warnings;
};

// kInvalidArgument: a field that does not exist, or a wrong value. kUnsupported: a field that is
// refused. Both name the field, and the line if there is one.
Result<ConfigReading> read_config_values(const ConfigValue& value, const ConfigMessage& message);

}  // namespace quire
