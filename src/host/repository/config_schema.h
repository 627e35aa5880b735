// The published messages of a model's config (Triton's model_config.proto) as tables: each field
// with its type and what becomes of it here. A field that is in no table does not exist and is
// refused by name; every other acts, is told in a warning, or is refused with the reason.
// Constant; any thread. Used by config_text and model_config.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace quire {

enum class ConfigType : std::uint8_t {
  kBool, kInt32, kInt64, kUint32, kUint64, kDouble, kText, kEnum, kMessage,
};

enum class ConfigCount : std::uint8_t { kOne, kMany, kMap, kMapByNumber };

enum class ConfigUse : std::uint8_t {
  kActs,
  kTold,     // accepted with a warning: it changes no answer
  kNeutral,  // only as if it were not there
};

struct ConfigMessage;
struct ConfigEnum;

struct ConfigField {
  std::string_view name;
  ConfigType type;
  ConfigCount count = ConfigCount::kOne;
  ConfigUse use = ConfigUse::kActs;
  std::string_view why = {};               // it is told or refused
  const ConfigMessage* message = nullptr;  // of kMessage, and of a map's values
  const ConfigEnum* values = nullptr;      // of kEnum
  std::string_view choice = {};            // fields of one choice exclude each other
};

struct ConfigMessage {
  std::string_view name;
  std::span<const ConfigField> fields;

  const ConfigField* find(std::string_view field) const;  // null: there is none
};

struct ConfigEnum {
  std::string_view name;
  std::span<const std::string_view> values;  // of 0, 1, ...
};

const ConfigMessage& model_config_message();

}  // namespace quire
