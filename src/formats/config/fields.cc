#include "formats/config/fields.h"

#include <cmath>
#include <limits>
#include <set>

#include "base/check.h"
#include "formats/config/harmless_keys.h"

namespace quire {
namespace {

std::string text_of(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::kNull:
      return "absent";
    case Json::Kind::kString:
      return "'" + value.as_string().substr(0, 64) + "'";
    case Json::Kind::kArray:
    case Json::Kind::kObject:
      return std::string(kind_name(value.kind()));
    default:
      return dump(value);
  }
}

// An option that asks for nothing.
bool is_neutral(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::kNull:
      return true;
    case Json::Kind::kBool:
      return !value.as_bool();
    case Json::Kind::kString:
      return value.as_string().empty();
    case Json::Kind::kArray:
      return value.items().empty();
    case Json::Kind::kObject:
      return value.members().empty();
    default:
      return value.as_double() == 0;
  }
}

}  // namespace

// What all copies and inner objects share.
struct ConfigFields::Marks {
  struct Object {  // whose members are checked in the end
    Source source;
    std::set<std::string, std::less<>> used;
  };

  Status status;
  std::vector<std::shared_ptr<Object>> objects;

  Object& of(const Source& source) {
    for (const auto& object : objects) {
      if (object->source.prefix == source.prefix) return *object;
    }
    objects.push_back(std::make_shared<Object>(Object{source, {}}));
    return *objects.back();
  }
};

ConfigFields::ConfigFields(Source source)
    : source_(std::move(source)), marks_(std::make_shared<Marks>()) {
  if (!source_.find) source_.find = [](std::string_view) { return Field{Json(), "nowhere"}; };
  marks_->of(source_);
}

namespace {

ConfigFields::Source source_of(const Json& object, std::string where) {
  QUIRE_CHECK(object.is_object(), "{} is no object", where);
  ConfigFields::Source source;
  source.find = [&object, where](std::string_view name) {
    const Json* value = object.find(name);
    return Field{value == nullptr ? Json() : *value, where};
  };
  source.names = [&object] {
    std::vector<std::string> names;
    for (const auto& [name, value] : object.members()) names.push_back(name);
    return names;
  };
  return source;
}

}  // namespace

ConfigFields ConfigFields::of_json(const Json& object, std::string where) {
  return ConfigFields(source_of(object, std::move(where)));
}

// --- finding ---

std::string ConfigFields::file_name(Key key) const {
  if (!is_gguf()) return std::string(key.hf);
  if (key.gguf.starts_with('/')) return std::string(key.gguf.substr(1));
  return key.gguf.empty() ? std::string() : source_.prefix + std::string(key.gguf);
}

Field ConfigFields::find(Key key) const {
  const std::string name = file_name(key);
  if (name.empty()) return {Json(), ""};
  marks_->of(source_).used.insert(name);
  return source_.find(name);
}

Field ConfigFields::find_needed(Key key, bool is_needed) const {
  Field field = find(key);
  if (is_needed && field.is_absent()) {
    fail(error(StatusCode::kCorrupt, "{} {}: missing", file_name(key), field.where));
  }
  return field;
}

std::size_t ConfigFields::size_of(Key key) const {
  const Json value = find(key).value;
  if (value.is_object()) return value.members().size();
  return value.is_array() ? value.items().size() : 0;
}

bool ConfigFields::has(Key key) const { return !find(key).is_absent(); }
bool ConfigFields::is_text(Key key) const { return find(key).value.is_string(); }

bool ConfigFields::has_name(Key key) const {
  const std::string name = file_name(key);
  for (const std::string& there : source_.names()) {
    if (there == name) return true;
  }
  return false;
}

const TensorView* ConfigFields::tensor(Key key) const {
  const std::string_view name = is_gguf() ? key.gguf : key.hf;
  return name.empty() || !source_.tensor ? nullptr : source_.tensor(name);
}

std::string ConfigFields::place_of(const TensorView& tensor) const {
  return source_.place_of ? source_.place_of(tensor) : std::string("in memory");
}

std::string ConfigFields::name_of(Key key) const {
  return fmt::format("{} {}", file_name(key), find(key).where);
}

// --- errors ---

void ConfigFields::fail(Status status) const {
  if (marks_->status.is_ok()) marks_->status = std::move(status);
}

const Status& ConfigFields::status() const { return marks_->status; }

void ConfigFields::wrong_kind(Key key, const Field& field, std::string_view wanted) const {
  fail(error(StatusCode::kCorrupt, "{} {}: it is {}, not {}", file_name(key), field.where,
             text_of(field.value), wanted));
}

template <typename T>
void ConfigFields::out_of_range(Key key, const Field& field, T value, T min, T max) const {
  fail(error(StatusCode::kCorrupt, "{} {}: {} is not in the range {} to {}", file_name(key),
             field.where, value, min, max));
}

// --- single values ---

int ConfigFields::integer(Key key, int min, int max, std::optional<int> fallback) const {
  const Field field = find_needed(key, !fallback);
  if (field.is_absent()) return fallback.value_or(min);
  if (!field.value.is_int()) {
    wrong_kind(key, field, "an integer");
  } else if (const std::int64_t value = field.value.as_int(); value < min || value > max) {
    out_of_range<std::int64_t>(key, field, value, min, max);
  } else {
    return static_cast<int>(value);
  }
  return fallback.value_or(min);
}

double ConfigFields::number(Key key, double min, double max, std::optional<double> fallback) const {
  const Field field = find_needed(key, !fallback);
  if (field.is_absent()) return fallback.value_or(min);
  if (!field.value.is_number()) {
    wrong_kind(key, field, "a number");
  } else if (const double value = field.value.as_double(); !(value >= min && value <= max)) {
    out_of_range(key, field, value, min, max);  // a NaN is in no range
  } else {
    return value;
  }
  return fallback.value_or(min);
}

bool ConfigFields::boolean(Key key, bool fallback) const {
  const Field field = find(key);
  if (field.is_absent()) return fallback;
  if (field.value.is_bool()) return field.value.as_bool();
  wrong_kind(key, field, "a boolean");
  return fallback;
}

bool ConfigFields::truth(Key key, bool fallback) const {
  const Field field = find(key);
  if (field.is_absent() || field.value.is_bool()) return boolean(key, fallback);
  constexpr double kMax = 1e9;
  return number(key, -kMax, kMax) != 0;
}

std::string ConfigFields::string(Key key, std::optional<std::string> fallback) const {
  const Field field = find_needed(key, !fallback);
  if (field.value.is_string()) return field.value.as_string();
  if (!field.is_absent()) wrong_kind(key, field, "a string");
  return fallback.value_or("");
}

// --- lists and objects ---

std::vector<Json> ConfigFields::list(Key key, std::string_view wanted,
                                     bool (*fits)(const Json&)) const {
  const Field field = find(key);
  if (field.is_absent()) return {};
  if (!field.value.is_array()) {
    wrong_kind(key, field, wanted);
    return {};
  }
  if (field.value.items().size() > kListMax) {
    fail(error(StatusCode::kResourceExhausted, "{} {}: {} items, at most {} are read",
               file_name(key), field.where, field.value.items().size(), kListMax));
    return {};
  }
  for (const Json& item : field.value.items()) {
    if (fits(item)) continue;
    fail(error(StatusCode::kCorrupt, "{} {}: it has {}, so it is not {}", file_name(key),
               field.where, text_of(item), wanted));
    return {};
  }
  return field.value.items();
}

std::vector<int> ConfigFields::integers(Key key, int min, int max) const {
  std::vector<int> values;
  for (const Json& item :
       list(key, "a list of integers", [](const Json& j) { return j.is_int(); })) {
    if (item.as_int() < min || item.as_int() > max) {
      out_of_range<std::int64_t>(key, find(key), item.as_int(), min, max);
      return {};
    }
    values.push_back(static_cast<int>(item.as_int()));
  }
  return values;
}

namespace {

// Not a number where it is none.
double number_of(const Json& item) {
  if (item.is_number()) return item.as_double();
  const Json* written = item.is_object() ? item.find("__float__") : nullptr;
  const bool is_infinite =
      written != nullptr && written->is_string() && written->as_string() == "Infinity";
  return is_infinite ? std::numeric_limits<double>::infinity()
                     : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::vector<double> ConfigFields::numbers(Key key, double min, double max) const {
  std::vector<double> values;
  const auto fits = [](const Json& item) { return !std::isnan(number_of(item)); };
  for (const Json& item : list(key, "a list of numbers", fits)) {
    const double value = number_of(item);
    if (!(value >= min && value <= max)) {
      out_of_range(key, find(key), value, min, max);
      return {};
    }
    values.push_back(value);
  }
  return values;
}

std::vector<bool> ConfigFields::booleans(Key key) const {
  std::vector<bool> values;
  for (const Json& item :
       list(key, "a list of booleans", [](const Json& j) { return j.is_bool(); })) {
    values.push_back(item.as_bool());
  }
  return values;
}

std::vector<std::string> ConfigFields::strings(Key key) const {
  std::vector<std::string> values;
  for (const Json& item :
       list(key, "a list of strings", [](const Json& j) { return j.is_string(); })) {
    values.push_back(item.as_string());
  }
  return values;
}

std::vector<int> ConfigFields::integers_per_layer(Key key, int count, int min, int max,
                                            std::optional<int> fallback) const {
  if (!find(key).value.is_array()) {
    return std::vector<int>(count, integer(key, min, max, fallback));
  }
  std::vector<int> values = integers(key, min, max);
  if (values.size() != static_cast<std::size_t>(count)) {
    fail(error(StatusCode::kCorrupt, "{}: {} values for {} layers", name_of(key), values.size(),
               count));
    values.assign(count, min);
  }
  return values;
}

std::optional<ConfigFields> ConfigFields::object(Key key) const {
  const Field field = find(key);
  if (field.is_absent()) return std::nullopt;
  if (!field.value.is_object()) {
    wrong_kind(key, field, "an object");
    return std::nullopt;
  }
  const auto held = std::make_shared<const Json>(field.value);
  ConfigFields inner = *this;
  inner.source_ = source_of(*held, fmt::format("of {} {}", key.hf, field.where));
  inner.source_.naming = source_.naming;
  inner.source_.place = fmt::format("{} {}", key.hf, field.where);
  inner.source_.prefix = source_.prefix + std::string(key.hf) + "/";  // tells objects apart
  inner.source_.find = [held, find = inner.source_.find](std::string_view name) {
    return find(name);
  };
  inner.source_.names = [held, names = inner.source_.names] { return names(); };
  inner.marks_->of(inner.source_);
  return inner;
}

// --- what we do not compute ---

void ConfigFields::refuse(Key key) const {
  const Field field = find(key);
  if (is_neutral(field.value)) return;
  fail(error(StatusCode::kUnsupported, "{} {}: {} asks for something that is not supported",
             file_name(key), field.where, text_of(field.value)));
}

void ConfigFields::refuse_unless(Key key, double neutral) const {
  const Field field = find(key);
  const bool is_met =
      field.is_absent() || (field.value.is_number() && field.value.as_double() == neutral);
  if (is_met) return;
  fail(error(StatusCode::kUnsupported, "{} {}: {} is not supported, only {}", file_name(key),
             field.where, text_of(field.value), neutral));
}

void ConfigFields::refuse_unless(Key key, std::string_view neutral) const {
  const Field field = find(key);
  const bool is_met =
      field.is_absent() || (field.value.is_string() && field.value.as_string() == neutral);
  if (is_met) return;
  fail(error(StatusCode::kUnsupported, "{} {}: {} is not supported, only '{}'", file_name(key),
             field.where, text_of(field.value), neutral));
}

void ConfigFields::refuse_false(Key key) const {
  if (boolean(key, true)) return;
  fail(error(StatusCode::kUnsupported, "{}: false is not supported", name_of(key)));
}

Status ConfigFields::check_all_used() const {
  if (!status().is_ok()) return status();
  for (const auto& object : marks_->objects) {
    if (!object->source.names) continue;
    for (const std::string& name : object->source.names()) {
      if (object->used.contains(name) || is_harmless_key(object->source.naming, name)) continue;
      const Field field = object->source.find(name);
      if (is_neutral(field.value)) continue;
      return error(StatusCode::kUnsupported,
                   "{} {}: {} is an option that this architecture does not know",
                   name.substr(0, 64), field.where, text_of(field.value));
    }
  }
  return ok_status();
}

}  // namespace quire
