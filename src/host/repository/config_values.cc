#include "host/repository/config_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <utility>

namespace quire {
namespace {

constexpr std::size_t kEntriesMax = 4096;  // of a map

using Kind = ConfigValue::Kind;

std::string place(const ConfigValue& value, const std::string& path) {
  return value.line > 0 ? fmt::format("line {}: '{}'", value.line, path)
                        : fmt::format("'{}'", path);
}

template <typename... Args>
Status wrong_in(const ConfigValue& value, const std::string& path,
                fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "{} {}", place(value, path),
               fmt::format(format, std::forward<Args>(args)...));
}

// Decimal, 0x hexadecimal or 0 octal, a sign before it.
template <typename T>
std::optional<T> parse_integer(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.starts_with('0')) {
    base = 8;
  }
  const std::string whole = (is_negative ? "-" : "") + std::string(text);
  if (text.starts_with('-') || (is_negative && !std::numeric_limits<T>::is_signed)) return {};
  T number = 0;
  const char* end = whole.data() + whole.size();
  const auto read = std::from_chars(whole.data(), end, number, base);
  return read.ec == std::errc() && read.ptr == end ? std::optional(number) : std::nullopt;
}

std::optional<double> parse_real(std::string text) {
  if (text.ends_with('f') || text.ends_with('F')) text.pop_back();
  double number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  return read.ec == std::errc() && read.ptr == end ? std::optional(number) : std::nullopt;
}

template <typename T>
Result<Json> integer(const ConfigValue& value, const std::string& path) {
  const auto number = parse_integer<T>(value.text);
  if (number) return Json(*number);
  return wrong_in(value, path, "must be an integer from {} to {}, not '{}'",
                  std::numeric_limits<T>::min(), std::numeric_limits<T>::max(),
                  value.text.substr(0, 64));
}

Result<Json> boolean(const ConfigValue& value, const std::string& path) {
  for (const std::string_view yes : {"true", "True", "t", "1"}) {
    if (value.text == yes) return Json(true);
  }
  for (const std::string_view no : {"false", "False", "f", "0"}) {
    if (value.text == no) return Json(false);
  }
  return wrong_in(value, path, "must be true or false, not '{}'", value.text.substr(0, 64));
}

Result<Json> name_of(const ConfigValue& value, const ConfigEnum& known, const std::string& path) {
  const auto number = parse_integer<std::uint32_t>(value.text);
  if (number && *number < known.values.size()) return Json(known.values[*number]);
  if (std::find(known.values.begin(), known.values.end(), value.text) != known.values.end()) {
    return Json(value.text);
  }
  return wrong_in(value, path, "must be one of {}, not '{}'", fmt::join(known.values, ", "),
                  value.text.substr(0, 64));
}

Json default_of(const ConfigField& field) {
  if (field.count == ConfigCount::kMany) return Json::array();
  if (field.count != ConfigCount::kOne) return Json::object();
  switch (field.type) {
    case ConfigType::kBool: return Json(false);
    case ConfigType::kDouble: return Json(0.0);
    case ConfigType::kText: return Json("");
    case ConfigType::kEnum: return Json(field.values->values.front());
    case ConfigType::kMessage: return Json();
    default: return Json(0);
  }
}

class Walker {
 public:
  Result<Json> message(const ConfigValue& value, const ConfigMessage& known,
                       const std::string& path) {
    std::map<std::string_view, Json> found;
    std::map<std::string_view, std::string_view> chosen;
    for (const ConfigMember& member : value.members) {
      const ConfigField* field = known.find(member.name);
      if (field == nullptr) {
        return wrong_in(member.value, join(path, member.name), "is no field of {}", known.name);
      }
      if (member.value.kind == Kind::kNothing) continue;
      const std::string name = join(path, member.name);
      if (!field->choice.empty()) {
        const auto [other, is_first] = chosen.emplace(field->choice, field->name);
        if (!is_first && other->second != field->name) {
          return wrong_in(member.value, name, "excludes '{}', which is there too", other->second);
        }
      }
      QUIRE_RETURN_IF_ERROR(add(member.value, *field, name, found));
    }
    Json json = Json::object();
    for (const ConfigField& field : known.fields) {
      const auto it = found.find(field.name);
      if (it == found.end() && !field.choice.empty()) continue;  // another of them may be there
      Json content = it == found.end() ? default_of(field) : std::move(it->second);
      if (!content.is_null()) json.set(std::string(field.name), std::move(content));
    }
    return json;
  }

  std::vector<std::string> warnings;

 private:
  static std::string join(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }

  Status add(const ConfigValue& value, const ConfigField& field, const std::string& path,
             std::map<std::string_view, Json>& found) {
    if (field.type == ConfigType::kMessage && field.message == nullptr) {
      const bool is_empty = value.kind == Kind::kMessage && value.members.empty() &&
                            value.line == 0;  // JSON of somebody who writes everything
      return is_empty ? ok_status() : refuse(value, field, path);
    }
    if (field.count == ConfigCount::kMap || field.count == ConfigCount::kMapByNumber) {
      return add_entries(value, field, path, found);
    }
    QUIRE_ASSIGN_OR_RETURN(Json content, one(value, field, path));
    QUIRE_RETURN_IF_ERROR(look_at(value, field, path, content));
    const auto known = found.find(field.name);
    if (field.count == ConfigCount::kMany) {
      if (known == found.end()) {
        found.emplace(field.name, Json::array({std::move(content)}));
      } else {
        known->second.push(std::move(content));
      }
      return ok_status();
    }
    if (known != found.end()) return wrong_in(value, path, "is there twice");
    found.emplace(field.name, std::move(content));
    return ok_status();
  }

  // { key: "k" value: ... } of the text, or the members of a JSON object.
  Status add_entries(const ConfigValue& value, const ConfigField& field, const std::string& path,
                     std::map<std::string_view, Json>& found) {
    if (value.kind != Kind::kMessage) return wrong_in(value, path, "must be a map");
    Json& map = found.emplace(field.name, Json::object()).first->second;
    if (value.line == 0) {
      for (const ConfigMember& member : value.members) {
        QUIRE_RETURN_IF_ERROR(add_entry(member.name, member.value, field, path, map));
      }
      return ok_status();
    }
    const ConfigValue* key = nullptr;
    ConfigValue content{.kind = Kind::kMessage, .line = value.line};
    for (const ConfigMember& member : value.members) {
      if (member.name == "key") {
        key = &member.value;
      } else if (member.name == "value") {
        content = member.value;
      } else {
        return wrong_in(member.value, path + "." + member.name, "is no part of a map's entry");
      }
    }
    const bool wants_string = field.count == ConfigCount::kMap;
    if (key == nullptr || key->kind != (wants_string ? Kind::kString : Kind::kWord)) {
      return wrong_in(value, path, "has an entry without a key that is {}",
                      wants_string ? "a string" : "a number");
    }
    return add_entry(key->text, content, field, path, map);
  }

  Status add_entry(std::string key, const ConfigValue& value, const ConfigField& field,
                   const std::string& path, Json& map) {
    if (field.count == ConfigCount::kMapByNumber) {
      const auto number = parse_integer<std::uint64_t>(key);
      if (!number) {
        return wrong_in(value, path, "has the key '{}', which is no number", key.substr(0, 64));
      }
      key = std::to_string(*number);
    }
    if (map.members().size() >= kEntriesMax) {
      return wrong_in(value, path, "has more than {} entries", kEntriesMax);
    }
    if (map.find(key) != nullptr) return wrong_in(value, path, "has the key '{}' twice", key);
    QUIRE_ASSIGN_OR_RETURN(Json content, one(value, field, path + "[" + key + "]"));
    QUIRE_RETURN_IF_ERROR(look_at(value, field, path, content));
    map.set(key, std::move(content));
    return ok_status();
  }

  Result<Json> one(const ConfigValue& value, const ConfigField& field, const std::string& path) {
    if (field.type == ConfigType::kMessage) {
      if (value.kind != Kind::kMessage) return wrong_in(value, path, "must be a message");
      return message(value, *field.message, path);
    }
    const bool is_json = value.line == 0;
    const bool is_text = value.kind == Kind::kString;
    if (value.kind == Kind::kMessage) return wrong_in(value, path, "must be no message");
    if (field.type == ConfigType::kText) {
      return is_text ? Result<Json>(Json(value.text)) : wrong_in(value, path, "must be a string");
    }
    if (is_text && !is_json) return wrong_in(value, path, "must not be in quotes");
    switch (field.type) {
      case ConfigType::kBool: return boolean(value, path);
      case ConfigType::kInt32: return integer<std::int32_t>(value, path);
      case ConfigType::kInt64: return integer<std::int64_t>(value, path);
      case ConfigType::kUint32: return integer<std::uint32_t>(value, path);
      case ConfigType::kUint64: return integer<std::uint64_t>(value, path);
      case ConfigType::kEnum: return name_of(value, *field.values, path);
      default: break;
    }
    const auto number = parse_real(value.text);
    return number ? Result<Json>(Json(*number)) : wrong_in(value, path, "must be a number");
  }

  static Status refuse(const ConfigValue& value, const ConfigField& field,
                       const std::string& path) {
    return error(StatusCode::kUnsupported, "{} is not supported: {}", place(value, path),
                 field.why);
  }

  Status look_at(const ConfigValue& value, const ConfigField& field, const std::string& path,
                 const Json& content) {
    if (field.use == ConfigUse::kActs || content == default_of(field)) return ok_status();
    if (field.use == ConfigUse::kNeutral) return refuse(value, field, path);
    std::string warning = fmt::format("{} does nothing here: {}", place(value, path), field.why);
    if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end()) {
      warnings.push_back(std::move(warning));
    }
    return ok_status();
  }
};

}  // namespace

Result<ConfigReading> read_config_values(const ConfigValue& value, const ConfigMessage& message) {
  Walker walker;
  QUIRE_ASSIGN_OR_RETURN(Json json, walker.message(value, message, ""));
  return ConfigReading{std::move(json), std::move(walker.warnings)};
}

}  // namespace quire
