// What the keywords of JSON Schema's editions are to us. The lists follow the editions' own meta
// schemas; that `const`, `prefixItems` and the like are kept in editions that do not know them is
// the compiler's reading, and narrower than none.
#include <algorithm>
#include <array>

#include "text/grammar/schema_walk.h"

namespace quire {
namespace {

struct Refused {
  std::string_view keyword;
  SchemaDraft since;
};

constexpr Refused kRefused[] = {
    {"$dynamicRef", SchemaDraft::k2020},
    {"$recursiveRef", SchemaDraft::k2019},
    {"contains", SchemaDraft::k6},
    {"dependencies", SchemaDraft::k4},
    {"dependentRequired", SchemaDraft::k2019},
    {"dependentSchemas", SchemaDraft::k2019},
    {"else", SchemaDraft::k7},
    {"if", SchemaDraft::k7},
    {"maxContains", SchemaDraft::k2019},
    {"minContains", SchemaDraft::k2019},
    {"not", SchemaDraft::k4},
    {"propertyNames", SchemaDraft::k6},
    {"then", SchemaDraft::k7},
    {"unevaluatedItems", SchemaDraft::k2019},
    {"unevaluatedProperties", SchemaDraft::k2019},
    {"uniqueItems", SchemaDraft::k4},
};

constexpr std::string_view kNotes[] = {
    "$comment", "contentEncoding", "contentMediaType", "contentSchema", "default", "deprecated",
    "description", "example", "examples", "readOnly", "title", "writeOnly",
};

bool is_empty_object(const Json& value) { return value.is_object() && value.members().empty(); }
bool is_false(const Json& value) { return value.is_bool() && !value.as_bool(); }
bool allows_all(const Json& value) {
  return is_empty_object(value) || (value.is_bool() && value.as_bool());
}

}  // namespace

std::optional<SchemaDraft> draft_of(const Json& schema, SchemaDraft inherited) {
  const Json* named = schema.find("$schema");
  if (named == nullptr || !named->is_string()) return inherited;
  std::string_view name = named->as_string();
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (name.starts_with(scheme)) name.remove_prefix(scheme.size());
  }
  while (!name.empty() && name.back() == '#') name.remove_suffix(1);
  if (name == "json-schema.org/draft-03/schema") return std::nullopt;
  if (name == "json-schema.org/draft-04/schema") return SchemaDraft::k4;
  if (name == "json-schema.org/draft-06/schema") return SchemaDraft::k6;
  if (name == "json-schema.org/draft-07/schema") return SchemaDraft::k7;
  if (name == "json-schema.org/draft/2019-09/schema") return SchemaDraft::k2019;
  return SchemaDraft::k2020;  // as every validator does with a name that it does not know
}

bool admits(const Json& schema, std::string_view type) {
  const Json* types = schema.find("type");
  if (types == nullptr) return true;
  const auto is_it = [type](const Json& name) {
    return name.is_string() &&
           (name.as_string() == type || (type == "number" && name.as_string() == "integer"));
  };
  if (!types->is_array()) return is_it(*types);
  return std::any_of(types->items().begin(), types->items().end(), is_it);
}

bool says_nothing(const Json& schema, std::string_view keyword, const Json& value) {
  if (keyword == "uniqueItems") {
    const Json* most = schema.find("maxItems");
    return is_false(value) || (most != nullptr && most->is_int() && most->as_int() <= 1) ||
           !admits(schema, "array");
  }
  if (keyword == "not") return is_false(value);
  if (keyword == "if") {
    return schema.find("then") == nullptr && schema.find("else") == nullptr;
  }
  if (keyword == "then" || keyword == "else") return schema.find("if") == nullptr;
  if (keyword == "minContains" || keyword == "maxContains") {
    return schema.find("contains") == nullptr;
  }
  if (keyword == "contains") return !admits(schema, "array");
  if (keyword == "dependencies" || keyword == "dependentRequired" ||
      keyword == "dependentSchemas") {
    return is_empty_object(value) || !admits(schema, "object");
  }
  if (keyword == "propertyNames" || keyword == "unevaluatedProperties") {
    return allows_all(value) || !admits(schema, "object");
  }
  if (keyword == "unevaluatedItems") return allows_all(value) || !admits(schema, "array");
  return false;
}

bool is_refused_keyword(std::string_view keyword, SchemaDraft draft) {
  const auto found = std::find_if(std::begin(kRefused), std::end(kRefused),
                                  [&](const Refused& row) { return row.keyword == keyword; });
  return found != std::end(kRefused) && draft >= found->since;
}

bool is_note(std::string_view keyword) {
  return std::binary_search(std::begin(kNotes), std::end(kNotes), keyword);
}

bool is_additional_properties(const Json& schema, std::string_view keyword, const Json& value) {
  if (keyword != "unevaluatedProperties" || !is_false(value)) return false;
  constexpr std::array kEvaluators = {"additionalProperties", "allOf", "anyOf", "oneOf", "$ref",
                                      "if", "dependentSchemas"};
  return std::none_of(kEvaluators.begin(), kEvaluators.end(), [&](const char* other) {
    return schema.find(other) != nullptr;
  });
}

}  // namespace quire
