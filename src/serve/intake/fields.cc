#include "serve/intake/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace quire {
namespace {

const std::vector<Json::Member> kNoMembers;

constexpr std::size_t kShownMax = 64;  // bytes

// Where the JSON string that begins at `at` ends, its closing quote included.
std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return text.size();
}

// Where the value at `at` ends: at the comma or brace of its own level.
std::size_t value_end(std::string_view text, std::size_t at) {
  for (std::size_t depth = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      at = string_end(text, at);
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}')) return at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && depth > 0) --depth;
    ++at;
  }
  return at;
}

// Whether `value` is what a table writes as JSON text; 1 and 1.0 are one number.
bool is_same(const Json& value, std::string_view text, std::string_view field) {
  const Result<Json> neutral = parse_json(text);
  QUIRE_CHECK(neutral.is_ok(), "the table's neutral value of '{}' is no JSON", field);
  return neutral->is_number() && value.is_number() ? neutral->as_double() == value.as_double()
                                                   : *neutral == value;
}

}  // namespace

Fields::Fields(const Json& object)
    : members_(object.is_object() ? &object.members() : &kNoMembers), known_(members_->size()) {
  if (!object.is_object()) {
    fail(invalid_value("", fmt::format("The request body must be a JSON object, not {}.",
                                       kind_name(object.kind()))));
  }
}

const Json* Fields::any(std::string_view name) {
  note(name, FieldKind::kAny);
  return look(name);
}

const Json* Fields::look(std::string_view name) {
  const auto found = std::find_if(members_->begin(), members_->end(),
                                  [&](const Json::Member& member) { return member.first == name; });
  if (found == members_->end()) return nullptr;
  known_[static_cast<std::size_t>(found - members_->begin())] = true;
  return found->second.is_null() ? nullptr : &found->second;
}

bool Fields::has(std::string_view name) const {
  return std::any_of(members_->begin(), members_->end(),
                     [&](const Json::Member& member) { return member.first == name; });
}

std::optional<bool> Fields::boolean(std::string_view name) {
  note(name, FieldKind::kBoolean);
  const Json* value = look(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->as_bool();
  fail_type(name, "true or false", *value);
  return std::nullopt;
}

std::optional<std::int64_t> Fields::integer(std::string_view name, std::int64_t min,
                                            std::int64_t max) {
  note(name, FieldKind::kInteger, {static_cast<double>(min), static_cast<double>(max)});
  const Json* value = look(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_int() && value->as_int() >= min && value->as_int() <= max) return value->as_int();
  fail_type(name, fmt::format("an integer from {} to {}", min, max), *value);
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view name, Range range) {
  note(name, FieldKind::kNumber, range);
  const Json* value = look(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const double number = value->as_double();
    const bool is_above = range.is_min_open ? number > range.min : number >= range.min;
    if (std::isfinite(number) && is_above && number <= range.max) return number;
  }
  fail_type(name, fmt::format("a number {} {} to {}", range.is_min_open ? "above" : "from",
                              range.min, range.max), *value);
  return std::nullopt;
}

const std::string* Fields::text(std::string_view name, std::size_t size_max) {
  note(name, FieldKind::kText);
  const Json* value = look(name);
  if (value == nullptr) return nullptr;
  if (value->is_string() && value->as_string().size() <= size_max) return &value->as_string();
  fail_type(name, fmt::format("a string of at most {} bytes", size_max), *value);
  return nullptr;
}

void Fields::expect_neutral(std::span<const NeutralField> fields) {
  for (const NeutralField& field : fields) {
    note(field.name, FieldKind::kNeutral, {}, field.neutral);
    const Json* value = look(field.name);
    if (value == nullptr) continue;
    std::vector<std::string_view> accepted;
    bool is_accepted = false;
    for (const std::string_view text : {field.neutral, field.other, "null"}) {
      if (std::find(accepted.begin(), accepted.end(), text) != accepted.end()) continue;
      accepted.push_back(text);
      is_accepted |= is_same(*value, text, field.name);
    }
    if (is_accepted) continue;
    const std::string_view last = accepted.back();
    accepted.pop_back();
    fail(unsupported_parameter(
        field.name,
        fmt::format("Unsupported parameter: '{}' is not supported by this server; only {}{}{} is "
                    "accepted, got {}.", field.name, fmt::join(accepted, ", "),
                    accepted.empty() ? "" : " or ", last, shown(*value))));
  }
}

void Fields::fail(ApiError error) {
  if (notes_ != nullptr && error.code == "missing_required_parameter") {
    notes_->require(error.param);
  }
  if (!error_) error_ = std::move(error);
}

void Fields::fail_type(std::string_view name, std::string_view expected, const Json& value) {
  fail(invalid_value(std::string(name), fmt::format("Invalid '{}': expected {}, got {}.", name,
                                                    expected, shown(value))));
}

std::vector<std::string> Fields::unknown() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < members_->size(); ++i) {
    if (!known_[i]) names.push_back((*members_)[i].first);
  }
  return names;
}

std::string shown(const Json& value) {
  if (value.is_array() || value.is_object()) return std::string(kind_name(value.kind()));
  std::string text = dump(value);
  if (text.size() <= kShownMax) return text;
  std::size_t cut = kShownMax;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return text.substr(0, cut) + "...";
}

std::string field_at_fault(std::string_view body) {
  std::size_t at = body.find('{');
  if (at == std::string_view::npos) return {};
  for (++at; at < body.size();) {
    const std::size_t key = body.find('"', at);
    if (key == std::string_view::npos) return {};
    const std::size_t key_end = string_end(body, key);
    const std::size_t colon = body.find(':', key_end);
    if (colon == std::string_view::npos) return {};
    const std::size_t end = value_end(body, colon + 1);
    const Result<Json> name = parse_json(body.substr(key, key_end - key));
    if (!name.is_ok() || !name->is_string()) return {};
    if (!parse_json(body.substr(colon + 1, end - colon - 1)).is_ok()) return name->as_string();
    at = end + 1;
  }
  return {};
}

Parsed<Json> read_json_body(std::string_view body) {
  JsonLimits limits;
  limits.values_max = std::size_t{1} << 20;
  Result<Json> json = parse_json(body, limits);
  if (json.is_ok()) return std::move(*json);
  return ApiError{.message = "We could not parse the JSON body of your request. " +
                             json.status().message(),
                  .param = field_at_fault(body),
                  .code = "invalid_json"};
}

}  // namespace quire
