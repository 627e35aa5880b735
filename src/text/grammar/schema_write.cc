#include "text/grammar/schema_write.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "text/grammar/pattern.h"

namespace quire {
namespace {

// The compiler counts in 64 bits: the double below 2^63.
constexpr double kBoundMax = 9223372036854774784.0;

class SchemaWriter {
 public:
  explicit SchemaWriter(const SchemaWalk& walk) : walk_(&walk) {}

  Json write(const Json& value) const {
    if (const SchemaDraft* draft = walk_->draft(value); draft != nullptr && value.is_object()) {
      return write_schema(value, *draft);
    }
    if (value.is_array()) {
      Json out = Json::array();
      for (const Json& item : value.items()) out.push(write(item));
      return out;
    }
    if (!value.is_object()) return value;
    std::vector<Json::Member> members;
    for (const auto& [key, inner] : value.members()) members.emplace_back(key, write(inner));
    return Json::object(std::move(members));
  }

 private:
  using Members = std::vector<Json::Member>;

  Json write_schema(const Json& schema, SchemaDraft draft) const;
  void write_keyword(const Json& schema, SchemaDraft draft, const std::string& keyword,
                     const Json& value, Members& out) const;
  Json write_map(const Json& value, bool has_patterns) const;

  const SchemaWalk* walk_;
};

// The double at `bound` or next to it, to the side where fewer numbers are allowed.
Json narrow(const Json& bound, bool is_least, bool is_exclusive) {
  constexpr double kIntegersEnd = 9007199254740992.0;  // 2^53: from here on doubles have gaps
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double inward = is_least ? kInfinity : -kInfinity;
  double value = bound.as_double();
  if (bound.is_int() && std::abs(value) < 9223372036854775808.0) {
    const auto back = static_cast<std::int64_t>(value);
    const bool is_wider = is_least ? back < bound.as_int() : back > bound.as_int();
    if (is_wider) value = std::nextafter(value, inward);
  }
  // One more is no other double there, and the compiler would count on it.
  if (is_exclusive && std::abs(value) >= kIntegersEnd) {
    value = std::nextafter(std::nextafter(value, inward), inward);
  }
  if (is_least) value = std::max(value, -kBoundMax);
  else value = std::min(value, kBoundMax);
  const bool is_whole = std::floor(value) == value && std::abs(value) <= kBoundMax;
  return is_whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

bool is_about(std::string_view keyword, std::string_view type) {
  constexpr std::string_view kStrings[] = {"pattern", "format", "minLength", "maxLength"};
  return type == "string" && std::find(std::begin(kStrings), std::end(kStrings), keyword) !=
                                 std::end(kStrings);
}

Json SchemaWriter::write_schema(const Json& schema, SchemaDraft draft) const {
  Members out;
  for (const auto& [keyword, value] : schema.members()) {
    write_keyword(schema, draft, keyword, value, out);
  }
  return Json::object(std::move(out));
}

Json SchemaWriter::write_map(const Json& value, bool has_patterns) const {
  Json out = Json::object();
  for (const auto& [name, inner] : value.members()) {
    if (has_patterns) out.set(rewrite_pattern(name).value(), write(inner));
    else out.set(name, write(inner));
  }
  return out;
}

void SchemaWriter::write_keyword(const Json& schema, SchemaDraft draft, const std::string& keyword,
                                 const Json& value, Members& out) const {
  if (is_note(keyword)) return;
  if (is_refused_keyword(keyword, draft)) {
    if (is_additional_properties(schema, keyword, value)) out.emplace_back("additionalProperties",
                                                                          Json(false));
    return;
  }
  const bool has_references = walk_->has_references();
  const auto exclusive_flag = [&](const char* name) {
    const Json* flag = schema.find(name);
    return flag != nullptr && flag->is_bool() && flag->as_bool();
  };
  if (is_about(keyword, "string") && !admits(schema, "string")) return;
  if (keyword == "properties" || keyword == "patternProperties") {
    if (admits(schema, "object")) {
      out.emplace_back(keyword, write_map(value, keyword == "patternProperties"));
    }
  } else if (keyword == "pattern") {
    out.emplace_back(keyword, rewrite_pattern(value.as_string()).value());
  } else if (keyword == "minimum" || keyword == "maximum") {
    if (!admits(schema, "number")) return;
    const bool is_least = keyword == "minimum";
    const bool is_open = exclusive_flag(is_least ? "exclusiveMinimum" : "exclusiveMaximum");
    const char* name = !is_open ? keyword.c_str() : is_least ? "exclusiveMinimum"
                                                             : "exclusiveMaximum";
    out.emplace_back(name, narrow(value, is_least, is_open));
  } else if (keyword == "exclusiveMinimum" || keyword == "exclusiveMaximum") {
    if (value.is_bool() || !admits(schema, "number")) return;  // written with the bound itself
    out.emplace_back(keyword, narrow(value, keyword == "exclusiveMinimum", true));
  } else if (keyword == "maxLength" || keyword == "maxItems" || keyword == "maxProperties") {
    constexpr auto kMost = static_cast<double>(kPatternCountMax);
    if (!value.is_number()) return;  // of a type that is not admitted
    out.emplace_back(keyword, Json(static_cast<std::int64_t>(std::min(value.as_double(), kMost))));
  } else if (keyword == "minLength" || keyword == "minItems" || keyword == "minProperties") {
    if (value.is_number()) out.emplace_back(keyword, Json(static_cast<std::int64_t>(
                                                              value.as_double())));
  } else if (keyword == "prefixItems") {
    if (draft >= SchemaDraft::k2020 && admits(schema, "array")) {
      out.emplace_back(keyword, write(value));
    }
  } else if (keyword == "items") {
    if (!admits(schema, "array")) return;
    out.emplace_back(keyword, write(value));
    const Json* others = schema.find("additionalItems");  // they mean something together
    if (value.is_array() && others != nullptr) {
      out.emplace_back("additionalItems", write(*others));
    }
  } else if (keyword == "additionalItems") {
    return;
  } else if (keyword == "required" || keyword == "additionalProperties") {
    if (admits(schema, "object")) out.emplace_back(keyword, write(value));
  } else if (keyword == "enum" || keyword == "const") {
    out.emplace_back(keyword, value);
  } else if (keyword == "type" || keyword == "format" || keyword == "allOf" || keyword == "anyOf" ||
             keyword == "oneOf" || keyword == "$ref" || keyword == "multipleOf") {
    out.emplace_back(keyword, write(value));
  } else if (keyword == "$schema") {
    const bool is_known = value.is_string() && (draft != SchemaDraft::k2020 ||
                                                value.as_string().find("2020-12") !=
                                                    std::string::npos);
    if (is_known) out.emplace_back(keyword, value);
  } else if (has_references && keyword != "x-guidance") {
    out.emplace_back(keyword, write(value));  // what a reference may lead into, and names
  }
}

}  // namespace

Json write_schema(const Json& root, const SchemaWalk& walk) {
  return SchemaWriter(walk).write(root);
}

}  // namespace quire
