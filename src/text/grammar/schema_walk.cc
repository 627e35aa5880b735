#include "text/grammar/schema_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "base/text/ascii.h"
#include "text/grammar/pattern.h"
#include "text/grammar/schema_check.h"

namespace quire {
namespace {

constexpr std::array kTypes = {"array", "boolean", "integer", "null", "number", "object", "string"};
constexpr std::array kFormats = {"date",     "date-time", "duration", "email", "hostname",
                                 "ipv4",     "ipv6",      "time",     "uri",   "uuid"};
// Two multiples that meet in one schema become their least common one, in 32 bits.
constexpr std::uint64_t kMultipleMax = 65'535;

constexpr std::array kObjectKeywords = {"properties", "patternProperties", "additionalProperties",
                                        "required",   "minProperties",     "maxProperties"};
constexpr std::array kArrayKeywords = {"items", "prefixItems", "additionalItems", "minItems",
                                       "maxItems"};
constexpr std::array kStringKeywords = {"pattern", "format", "minLength", "maxLength"};
constexpr std::array kNumberKeywords = {"minimum", "maximum", "exclusiveMinimum",
                                        "exclusiveMaximum", "multipleOf"};

template <typename Names>
bool is_among(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A part of a reference's fragment: %41 and ~1 are written out.
std::string unescape_pointer(std::string_view part) {
  std::string plain;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const bool is_hex = part[i] == '%' && i + 2 < part.size() && hex_value(part[i + 1]) >= 0 &&
                        hex_value(part[i + 2]) >= 0;
    if (is_hex) {
      plain += static_cast<char>(hex_value(part[i + 1]) * 16 + hex_value(part[i + 2]));
      i += 2;
    } else {
      plain += part[i];
    }
  }
  std::string out;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (plain[i] == '~' && i + 1 < plain.size() && (plain[i + 1] == '0' || plain[i + 1] == '1')) {
      out += plain[++i] == '0' ? '~' : '/';
    } else {
      out += plain[i];
    }
  }
  return out;
}

Status refuse(const std::string& pointer, std::string_view reason) {
  return Status(StatusCode::kUnsupported, pointer + ": " + std::string(reason));
}

Status at_pointer(const std::string& pointer, const Status& status) {
  return Status(status.code(), pointer + ": " + status.message());
}

// A budget is broken.
Status exceed(const std::string& pointer, std::string_view what) {
  return Status(StatusCode::kResourceExhausted,
                (pointer.empty() ? "the schema" : pointer) + ": " + std::string(what));
}

Status no_schema(const std::string& pointer, std::string_view expected, const Json& value) {
  return error(StatusCode::kInvalidArgument, "{}: expected {}, got {}",
               pointer.empty() ? "the schema" : pointer, expected, kind_name(value.kind()));
}

// The type that a keyword speaks of; empty: any.
std::string_view type_of_keyword(std::string_view keyword) {
  if (is_among(kObjectKeywords, keyword)) return "object";
  if (is_among(kArrayKeywords, keyword)) return "array";
  if (is_among(kStringKeywords, keyword)) return "string";
  if (is_among(kNumberKeywords, keyword)) return "number";
  return "";
}

Status check_count(const std::string& pointer, const Json& value, bool is_least) {
  const bool is_count = value.is_number() && value.as_double() >= 0 &&
                        std::floor(value.as_double()) == value.as_double();
  if (!is_count) return no_schema(pointer, "a count", value);
  if (is_least && value.as_double() > static_cast<double>(kPatternCountMax)) {
    return refuse(pointer, fmt::format("is above the budget of {}", kPatternCountMax));
  }
  return ok_status();
}

bool is_exact(const Json& number) {
  if (number.is_int()) {
    constexpr std::int64_t kExactMax = std::int64_t{1} << 53;
    return number.as_int() >= -kExactMax && number.as_int() <= kExactMax;
  }
  return number.kind() == Json::Kind::kDouble && std::isfinite(number.as_double());
}

}  // namespace

std::string escape_pointer(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~') out += "~0";
    else if (c == '/') out += "~1";
    else out += c;
  }
  return out;
}

Status SchemaWalk::run() {
  note_names(*root_);
  if (root_->find("x-guidance") != nullptr) {
    return refuse("/x-guidance", "is no keyword of JSON Schema");
  }
  if (root_->is_bool() && !root_->as_bool()) return refuse("the schema", "false allows nothing");
  QUIRE_RETURN_IF_ERROR(visit({.schema = root_, .resource = root_}));
  return check_multiples();
}

// Every name that a reference might use, wherever it stands.
void SchemaWalk::note_names(const Json& value) {
  if (value.is_array()) {
    for (const Json& item : value.items()) note_names(item);
  }
  if (!value.is_object()) return;
  for (const auto& [key, inner] : value.members()) {
    if (inner.is_string() && (key == "$id" || key == "id")) {
      const std::string& id = inner.as_string();
      if (id.starts_with("#")) anchors_.emplace(id.substr(1), &value);
      else ids_.emplace(id.substr(0, id.find('#')), &value);
    } else if (inner.is_string() && key == "$anchor") {
      anchors_.emplace(inner.as_string(), &value);
    } else {
      note_names(inner);
    }
  }
}

Status SchemaWalk::visit(const Place& place) {
  const Json& schema = *place.schema;
  if (!schema.is_bool() && !schema.is_object()) {
    return no_schema(place.pointer, "an object or a boolean", schema);
  }
  const auto draft = draft_of(schema, place.draft);
  if (!draft && counts_only_) return ok_status();
  if (!draft) return refuse(place.pointer + "/$schema", "draft 3 is not supported");
  if (!drafts_.emplace(&schema, *draft).second || schema.is_bool()) return ok_status();
  if (drafts_.size() > kSchemaNodesMax) {
    return exceed(place.pointer, fmt::format("the schema has more than {} schemas in it, its "
                                             "budget", kSchemaNodesMax));
  }
  if (place.depth > kSchemaDepthMax) {
    return exceed(place.pointer, fmt::format("schemas are nested deeper than the budget of {}",
                                             kSchemaDepthMax));
  }
  if (place.chain > kSchemaChainMax) {
    return exceed(place.pointer, fmt::format("schemas lead to each other more than {} times, the "
                                             "budget", kSchemaChainMax));
  }
  Place here = place;
  here.draft = *draft;
  for (const char* name : {"$id", "id"}) {
    const Json* id = schema.find(name);
    if (id != nullptr && id->is_string() && !id->as_string().starts_with("#")) {
      here.resource = &schema;
    }
  }
  for (const auto& [keyword, value] : schema.members()) {
    const Status status = visit_keyword(here, keyword, value);
    if (!is_fine(status)) return status;
  }
  QUIRE_RETURN_IF_ERROR(count_variants(here));
  const Status bounds = check_object_bounds(here);
  return is_fine(bounds) ? ok_status() : bounds;
}

// What is taken together is multiplied out: alternatives of one with those of the other.
Status SchemaWalk::count_variants(const Place& place) {
  const Json& schema = *place.schema;
  std::size_t product = 1, factors = 0;
  const auto multiply = [&](std::size_t variants) {
    factors += variants > 1;
    product = std::min(product * variants, kSchemaVariantsMax * kSchemaVariantsMax);
  };
  const auto of = [&](const Json& inner) {
    const auto found = variants_.find(&inner);
    return found == variants_.end() ? std::size_t{1} : found->second;
  };
  for (const auto& [keyword, value] : schema.members()) {
    if (!value.is_array()) continue;
    if (keyword == "allOf") {
      for (const Json& inner : value.items()) multiply(of(inner));
    } else if (keyword == "anyOf" || keyword == "oneOf") {
      std::size_t sum = 0;
      for (const Json& inner : value.items()) sum += of(inner);
      multiply(sum);
    }
  }
  const Json* reference = schema.find("$ref");
  if (reference != nullptr && reference->is_string() && schema.members().size() > 1) {
    const auto target = resolve(place, reference->as_string());
    if (target.is_ok()) multiply(of(*target->schema));
  }
  variants_[&schema] = product;
  if (factors < 2 || product <= kSchemaVariantsMax) return ok_status();
  return exceed(place.pointer,
                fmt::format("alternatives multiply to more than {}, the budget",
                            kSchemaVariantsMax));
}

Status SchemaWalk::visit_inner(const Place& outer, const Json& inner, const std::string& pointer) {
  return visit({&inner, outer.draft, outer.resource, pointer, outer.depth + 1, outer.chain + 1});
}

Status SchemaWalk::visit_keyword(const Place& place, const std::string& keyword,
                                 const Json& value) {
  const Json& schema = *place.schema;
  const std::string pointer = place.pointer + "/" + escape_pointer(keyword);
  if (is_refused_keyword(keyword, place.draft)) {
    const bool is_kept = says_nothing(schema, keyword, value) ||
                         is_additional_properties(schema, keyword, value);
    return is_kept ? ok_status() : refuse(pointer, "is not supported");
  }
  const std::string_view type = type_of_keyword(keyword);
  if (!type.empty() && !admits(schema, type)) return ok_status();  // it speaks of nothing here
  if (keyword == "type") return check_type(pointer, value);
  if (keyword == "properties" || keyword == "patternProperties") {
    return visit_map(place, keyword, value);
  }
  if (keyword == "additionalProperties") return visit_inner(place, value, pointer);
  if (keyword == "items") return visit_items(place, value);
  if (keyword == "additionalItems") {
    const Json* items = schema.find("items");
    return items != nullptr && items->is_array() ? visit_inner(place, value, pointer)
                                                 : ok_status();
  }
  if (keyword == "allOf" || keyword == "anyOf" || keyword == "oneOf" ||
      (keyword == "prefixItems" && place.draft >= SchemaDraft::k2020)) {
    if (keyword != "prefixItems" && schema.members().size() > 1) intersects_ = true;
    if (keyword == "allOf") intersects_ = true;
    return visit_list(place, keyword, value);
  }
  if (keyword == "$ref") return visit_reference(place, value);
  if (keyword == "const") return check_literal(pointer, value, 0);
  if (keyword == "enum") {
    if (!value.is_array()) return no_schema(pointer, "an array", value);
    if (value.items().empty()) return refuse(pointer, "an empty enum allows nothing");
    for (std::size_t i = 0; i < value.items().size(); ++i) {
      QUIRE_RETURN_IF_ERROR(check_literal(fmt::format("{}/{}", pointer, i), value.items()[i], 0));
    }
    return ok_status();
  }
  if (keyword == "required") {
    if (!value.is_array()) return no_schema(pointer, "an array of strings", value);
    for (const Json& name : value.items()) {
      if (!name.is_string()) return no_schema(pointer, "an array of strings", name);
    }
    return ok_status();
  }
  return check_number_keyword(place, keyword, value, pointer);
}

// Keywords whose value is a number or a text.
Status SchemaWalk::check_number_keyword(const Place& place, const std::string& keyword,
                                        const Json& value, const std::string& pointer) {
  if (keyword.starts_with("min") && keyword != "minimum" && !type_of_keyword(keyword).empty()) {
    return check_count(pointer, value, true);
  }
  if (keyword.starts_with("max") && keyword != "maximum" && !type_of_keyword(keyword).empty()) {
    return check_count(pointer, value, false);
  }
  if (keyword == "multipleOf") return check_multiple(pointer, value);
  if (keyword == "pattern") {
    if (!value.is_string()) return no_schema(pointer, "a string", value);
    const auto pattern = rewrite_pattern(value.as_string());
    return pattern.is_ok() ? ok_status() : at_pointer(pointer, pattern.status());
  }
  if (keyword == "format") {
    if (!value.is_string()) return no_schema(pointer, "a string", value);
    if (is_among(kFormats, value.as_string())) return ok_status();
    return refuse(pointer, fmt::format("'{}' is not supported; {} are", value.as_string(),
                                       fmt::join(kFormats, ", ")));
  }
  if (keyword == "minimum" || keyword == "maximum") {
    return value.is_number() ? ok_status() : no_schema(pointer, "a number", value);
  }
  if (keyword == "exclusiveMinimum" || keyword == "exclusiveMaximum") {
    if (!value.is_number() && !value.is_bool()) return no_schema(pointer, "a number", value);
    const char* plain = keyword == "exclusiveMinimum" ? "minimum" : "maximum";
    const bool is_both = value.is_number() && place.draft == SchemaDraft::k4 &&
                         place.schema->find(plain) != nullptr;
    return is_both ? refuse(pointer, "is a boolean in draft 4") : ok_status();
  }
  return ok_status();  // what nobody knows asserts nothing
}

Status SchemaWalk::check_type(const std::string& pointer, const Json& value) {
  const auto check = [&](const Json& name) {
    if (!name.is_string()) return no_schema(pointer, "a string or an array of strings", name);
    if (is_among(kTypes, name.as_string())) return ok_status();
    return error(StatusCode::kInvalidArgument, "{}: '{}' is no type; {} are", pointer,
                 name.as_string(), fmt::join(kTypes, ", "));
  };
  if (!value.is_array()) return check(value);
  if (value.items().empty()) return refuse(pointer, "an empty list of types allows nothing");
  for (const Json& name : value.items()) QUIRE_RETURN_IF_ERROR(check(name));
  return ok_status();
}

Status SchemaWalk::visit_map(const Place& place, const std::string& keyword, const Json& value) {
  const std::string pointer = place.pointer + "/" + keyword;
  if (!value.is_object()) return no_schema(pointer, "an object", value);
  const std::size_t count = value.members().size();
  squares_ += count * count;
  if (squares_ > kSchemaSquaresMax) {
    return exceed(pointer, fmt::format("{} properties are above the budget, whose squares come to "
                                       "{}", count, kSchemaSquaresMax));
  }
  if (keyword == "patternProperties" && count > kSchemaPatternsMax) {
    return exceed(pointer, fmt::format("{} patterns are above the budget of {}", count,
                                       kSchemaPatternsMax));
  }
  std::set<std::string> patterns;
  for (const auto& [name, inner] : value.members()) {
    const std::string where = pointer + "/" + escape_pointer(name);
    if (keyword == "patternProperties") {
      const auto pattern = rewrite_pattern(name);
      if (!pattern.is_ok()) return at_pointer(where, pattern.status());
      if (!patterns.insert(*pattern).second) return refuse(where, "says the same as another one");
    }
    QUIRE_RETURN_IF_ERROR(visit_inner(place, inner, where));
  }
  return ok_status();
}

Status SchemaWalk::visit_list(const Place& place, const std::string& keyword, const Json& value) {
  const std::string pointer = place.pointer + "/" + keyword;
  if (!value.is_array()) return no_schema(pointer, "an array of schemas", value);
  if (value.items().empty() && keyword != "prefixItems") {
    return refuse(pointer, "an empty list of schemas");
  }
  for (std::size_t i = 0; i < value.items().size(); ++i) {
    QUIRE_RETURN_IF_ERROR(visit_inner(place, value.items()[i], fmt::format("{}/{}", pointer, i)));
  }
  return ok_status();
}

Status SchemaWalk::visit_items(const Place& place, const Json& value) {
  if (!value.is_array()) return visit_inner(place, value, place.pointer + "/items");
  if (place.draft >= SchemaDraft::k2020 && place.schema->find("prefixItems") != nullptr) {
    return refuse(place.pointer + "/items", "is a list beside prefixItems");
  }
  return visit_list(place, "items", value);
}

Status SchemaWalk::visit_reference(const Place& place, const Json& value) {
  const std::string pointer = place.pointer + "/$ref";
  if (!value.is_string()) return no_schema(pointer, "a string", value);
  has_references_ = true;
  if (place.schema->members().size() > 1) intersects_ = true;
  QUIRE_ASSIGN_OR_RETURN(Place target, resolve(place, value.as_string()));
  // A reference that leads back to itself before anything is said of the value.
  const Json* next = target.schema;
  std::set<const Json*> passed;
  while (next->find("$ref") != nullptr && passed.insert(next).second) {
    if (next == place.schema) return refuse(pointer, "leads back to itself");
    const Json* further = next->find("$ref");
    if (!further->is_string()) break;
    const auto after = resolve(place, further->as_string());
    if (!after.is_ok()) break;
    next = after->schema;
  }
  target.chain = place.chain + 1;
  return visit(target);
}

Result<SchemaWalk::Place> SchemaWalk::resolve(const Place& place,
                                              const std::string& reference) const {
  const auto missing = [&] {
    return refuse(place.pointer + "/$ref",
                  fmt::format("'{}' is not in this schema", reference.substr(0, 200)));
  };
  const auto known = resolved_.find({place.resource, reference});
  if (known != resolved_.end()) return known->second;
  const std::size_t hash = reference.find('#');
  const std::string uri = reference.substr(0, hash);
  const std::string fragment = hash == std::string::npos ? "" : reference.substr(hash + 1);
  Place target{.schema = place.resource, .draft = place.draft, .resource = place.resource};
  if (!uri.empty()) {
    const auto found = ids_.find(uri);
    if (found == ids_.end()) return missing();
    target.schema = target.resource = found->second;
  }
  target.pointer = uri;
  if (fragment.empty()) return target;
  if (fragment.front() != '/') {
    const auto found = anchors_.find(fragment);
    if (found == anchors_.end()) return missing();
    target.schema = found->second;
    target.pointer += "#" + fragment;
    return target;
  }
  target.pointer += fragment;
  for (std::size_t at = 0; at != std::string::npos;) {
    const std::size_t end = fragment.find('/', at + 1);
    const std::string part =
        unescape_pointer(std::string_view(fragment).substr(at + 1, end - at - 1));
    at = end;
    const Json* next = target.schema->find(part);
    if (target.schema->is_array() && !part.empty() && part.size() < 9 &&
        std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      const std::size_t index = std::stoul(part);
      if (index < target.schema->items().size()) next = &target.schema->items()[index];
    }
    if (next == nullptr) return missing();
    target.schema = next;
  }
  resolved_.emplace(std::pair(place.resource, reference), target);
  return target;
}

// Names that nobody listed may come twice, and count once.
Status SchemaWalk::check_object_bounds(const Place& place) {
  const Json& schema = *place.schema;
  const Json* least = schema.find("minProperties");
  if (least == nullptr || !admits(schema, "object")) return ok_status();
  const Json* required = schema.find("required");
  const Json* others = schema.find("additionalProperties");
  const Json* patterns = schema.find("patternProperties");
  const double named =
      required != nullptr && required->is_array() ? double(required->items().size()) : 0;
  const bool is_closed = others != nullptr && others->is_bool() && !others->as_bool() &&
                         (patterns == nullptr || patterns->members().empty());
  if (is_closed || least->as_double() <= named + 1) return ok_status();
  return refuse(place.pointer + "/minProperties",
                "asks for two or more properties that have no name here");
}

Status SchemaWalk::check_text(const std::string& pointer, const std::string& text) const {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return (byte >= 0x20 && byte != 0x7F) ||
           std::string_view("\b\f\n\r\t").find(c) != std::string_view::npos;
  });
  return is_plain ? ok_status() : refuse(pointer, "has a control character in it");
}

Status SchemaWalk::check_literal(const std::string& pointer, const Json& value,
                                 std::size_t depth) {
  if (++values_ > kSchemaValuesMax) {
    return exceed(pointer, fmt::format("the schema lists more than {} values, its budget",
                                       kSchemaValuesMax));
  }
  if (depth > kSchemaDepthMax) return refuse(pointer, "is nested too deep");
  if (value.is_string()) return check_text(pointer, value.as_string());
  if (value.is_number() && !is_exact(value)) {
    return refuse(pointer, "is a number that a double does not hold");
  }
  if (value.is_array()) {
    for (const Json& item : value.items()) {
      QUIRE_RETURN_IF_ERROR(check_literal(pointer, item, depth + 1));
    }
  }
  if (value.is_object()) {
    for (const auto& [name, inner] : value.members()) {
      QUIRE_RETURN_IF_ERROR(check_literal(pointer, inner, depth + 1));
    }
  }
  return ok_status();
}

Status SchemaWalk::check_multiple(const std::string& pointer, const Json& value) {
  if (!value.is_number()) return no_schema(pointer, "a number", value);
  double rest = value.as_double();
  if (!(rest > 0) || !std::isfinite(rest)) {
    return error(StatusCode::kInvalidArgument, "{}: has to be above 0", pointer);
  }
  std::uint32_t exponent = 0;
  for (; std::floor(rest) != rest && exponent < 400; ++exponent) rest *= 10;
  if (rest > std::numeric_limits<std::uint32_t>::max()) {
    return refuse(pointer, "has too many digits");
  }
  multiples_.push_back({static_cast<std::uint64_t>(rest), exponent, pointer});
  return ok_status();
}

Status SchemaWalk::check_multiples() const {
  if (!intersects_) return ok_status();
  std::uint32_t exponent_max = 0;
  for (const Multiple& multiple : multiples_) {
    exponent_max = std::max(exponent_max, multiple.exponent);
  }
  for (const Multiple& multiple : multiples_) {
    const double scaled = static_cast<double>(multiple.coefficient) *
                          std::pow(10.0, exponent_max - multiple.exponent);
    if (scaled > static_cast<double>(kMultipleMax)) {
      return refuse(multiple.pointer, "has too many digits beside the other multipleOf");
    }
  }
  return ok_status();
}

}  // namespace quire
