#include "serve/intake/wishes/listed_properties.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {
namespace {

constexpr std::array<std::string_view, 4> kMapsOfSchemas = {"properties", "patternProperties",
                                                            "$defs", "definitions"};
constexpr std::array<std::string_view, 6> kSchemas = {"items", "prefixItems", "additionalItems",
                                                      "additionalProperties", "anyOf", "oneOf"};
constexpr std::array<std::string_view, 3> kHeldTogether = {"allOf", "not", "if"};
constexpr std::array<std::string_view, 3> kBesideProperties = {"anyOf", "oneOf", "$ref"};
constexpr std::array<std::string_view, 3> kOfOthers = {
    "additionalProperties", "patternProperties", "unevaluatedProperties"};

template <std::size_t kCount>
bool has_any(const Json& schema, const std::array<std::string_view, kCount>& names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return schema.find(name) != nullptr; });
}

template <std::size_t kCount>
bool is_among(std::string_view word, const std::array<std::string_view, kCount>& names) {
  return std::find(names.begin(), names.end(), word) != names.end();
}

bool lists_properties(const Json& schema) {
  const Json* properties = schema.find("properties");
  return properties != nullptr && properties->is_object();
}

// `rewrite` of each schema that stands in a member of a schema; others are copied.
template <typename Rewrite>
Json with_parts(std::string_view name, const Json& value, Rewrite rewrite) {
  if (is_among(name, kMapsOfSchemas) && value.is_object()) {
    std::vector<Json::Member> out;
    for (const auto& [key, schema] : value.members()) out.emplace_back(key, rewrite(schema));
    return Json::object(std::move(out));
  }
  if (!is_among(name, kSchemas)) return value;
  if (!value.is_array()) return rewrite(value);
  Json out = Json::array();
  for (const Json& schema : value.items()) out.push(rewrite(schema));
  return out;
}

bool holds_parts_together(const Json& schema) {
  if (!schema.is_object()) return false;
  if (has_any(schema, kHeldTogether)) return true;
  if (lists_properties(schema) && has_any(schema, kBesideProperties)) return true;
  bool does = false;
  for (const auto& [name, value] : schema.members()) {
    with_parts(name, value, [&](const Json& part) {
      does = does || holds_parts_together(part);
      return Json();
    });
  }
  return does;
}

Json rewritten(const Json& schema, bool closes) {
  if (!schema.is_object()) return schema;
  std::vector<Json::Member> out;
  for (const auto& [name, value] : schema.members()) {
    out.emplace_back(name, with_parts(name, value, [closes](const Json& part) {
                       return rewritten(part, closes);
                     }));
  }
  if (lists_properties(schema)) {
    if (schema.find("type") == nullptr) out.emplace_back("type", "object");
    if (closes && !has_any(schema, kOfOthers)) out.emplace_back("additionalProperties", false);
  }
  return Json::object(std::move(out));
}

}  // namespace

Json with_listed_properties(const Json& schema) {
  return rewritten(schema, !holds_parts_together(schema));
}

}  // namespace quire
