#include "formats/config/config_fields.h"

#include <cmath>

#include "base/json.h"

namespace quire {
namespace {

std::string text_of(const ConfigField& field) {
  struct Visitor {
    std::string operator()(std::monostate) const { return "absent"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return fmt::format("{}", value); }
    std::string operator()(const std::string& value) const {
      return "'" + value.substr(0, 64) + "'";
    }
    std::string operator()(const OtherKind& value) const { return value.name; }
  };
  return std::visit(Visitor(), field.value);
}

std::optional<double> number_of(const ConfigField& field) {
  if (const auto* value = std::get_if<double>(&field.value)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&field.value)) {
    return static_cast<double>(*value);
  }
  return std::nullopt;
}

ConfigField field_of(const Json& object, std::string_view name, const std::string& where) {
  const Json* value = object.find(name);
  ConfigField field;
  field.where = where;
  if (value == nullptr) return field;
  switch (value->kind()) {
    case Json::Kind::kNull:
      break;
    case Json::Kind::kBool:
      field.value = value->as_bool();
      break;
    case Json::Kind::kInt:
      field.value = value->as_int();
      break;
    case Json::Kind::kDouble:
      field.value = value->as_double();
      break;
    case Json::Kind::kString:
      field.value = value->as_string();
      break;
    default:
      field.value = OtherKind{std::string(kind_name(value->kind()))};
  }
  return field;
}

}  // namespace

ConfigFields json_fields(const Json& object, std::string where) {
  return ConfigFields([&object, where = std::move(where)](std::string_view name) {
    return field_of(object, name, where);
  });
}

ConfigField ConfigFields::find(std::string_view name, bool is_needed) {
  ConfigField field = lookup_(name);
  if (is_needed && field.is_absent()) {
    fail(error(StatusCode::kCorrupt, "{} {}: missing", name, field.where));
  }
  return field;
}

void ConfigFields::wrong_kind(std::string_view name, const ConfigField& field,
                              std::string_view wanted) {
  fail(error(StatusCode::kCorrupt, "{} {}: it is {}, not {}", name, field.where, text_of(field),
             wanted));
}

int ConfigFields::integer(std::string_view name, int min, int max, std::optional<int> fallback) {
  const ConfigField field = find(name, !fallback);
  if (field.is_absent()) return fallback.value_or(min);
  const auto* value = std::get_if<std::int64_t>(&field.value);
  if (value == nullptr) {
    wrong_kind(name, field, "an integer");
  } else if (*value < min || *value > max) {
    fail(error(StatusCode::kCorrupt, "{} {}: {} is not in the range {} to {}", name, field.where,
               *value, min, max));
  } else {
    return static_cast<int>(*value);
  }
  return fallback.value_or(min);
}

double ConfigFields::number(std::string_view name, double min, double max,
                            std::optional<double> fallback) {
  const ConfigField field = find(name, !fallback);
  if (field.is_absent()) return fallback.value_or(min);
  const std::optional<double> value = number_of(field);
  if (!value) {
    wrong_kind(name, field, "a number");
  } else if (!(*value >= min && *value <= max)) {  // a NaN is in no range
    fail(error(StatusCode::kCorrupt, "{} {}: {} is not in the range {} to {}", name, field.where,
               *value, min, max));
  } else {
    return *value;
  }
  return fallback.value_or(min);
}

bool ConfigFields::boolean(std::string_view name, bool fallback) {
  const ConfigField field = find(name, false);
  if (field.is_absent()) return fallback;
  if (const auto* value = std::get_if<bool>(&field.value)) return *value;
  wrong_kind(name, field, "a boolean");
  return fallback;
}

std::string ConfigFields::string(std::string_view name, std::optional<std::string> fallback) {
  const ConfigField field = find(name, !fallback);
  if (const auto* value = std::get_if<std::string>(&field.value)) return *value;
  if (!field.is_absent()) wrong_kind(name, field, "a string");
  return fallback.value_or("");
}

void ConfigFields::refuse(std::string_view name) {
  const ConfigField field = lookup_(name);
  const auto* flag = std::get_if<bool>(&field.value);
  const auto* text = std::get_if<std::string>(&field.value);
  const bool is_neutral =
      field.is_absent() || (flag && !*flag) || (text && text->empty()) || number_of(field) == 0.0;
  if (is_neutral) return;
  fail(error(StatusCode::kUnsupported, "{} {}: {} asks for something that is not supported", name,
             field.where, text_of(field)));
}

void ConfigFields::refuse_unless(std::string_view name, double neutral) {
  const ConfigField field = lookup_(name);
  if (field.is_absent() || number_of(field) == neutral) return;
  fail(error(StatusCode::kUnsupported, "{} {}: {} is not supported, only {}", name, field.where,
             text_of(field), neutral));
}

}  // namespace quire
