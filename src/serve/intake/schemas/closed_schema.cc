#include "serve/intake/schemas/closed_schema.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {
namespace {

template <std::size_t N>
bool is_one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

// Keywords by what stands behind them.
constexpr std::string_view kMaps[] = {"properties", "patternProperties", "$defs", "definitions"};
constexpr std::string_view kPlaces[] = {"items", "prefixItems", "contains", "additionalItems",
                                        "additionalProperties"};
constexpr std::string_view kChoices[] = {"anyOf", "oneOf"};
constexpr std::string_view kConditions[] = {"if", "then", "else"};
// With one of them an object says itself what it may have.
constexpr std::string_view kOpenings[] = {"additionalProperties", "unevaluatedProperties"};

constexpr std::size_t kReferencesMax = 64;    // that one object is made of
constexpr std::size_t kLooksMax = 1'000'000;  // at members of schemas, for all objects together

std::string_view reference_of(const Json& schema) {
  const Json* reference = schema.find("$ref");
  return reference != nullptr && reference->is_string() ? std::string_view(reference->as_string())
                                                        : std::string_view();
}

bool lists_properties(const Json& schema) {
  const Json* own = schema.find("properties");
  return own != nullptr && own->is_object();
}

// Schemas that speak of the same object: its parts, alternatives, conditions.
std::vector<const Json*> parts_in_place(const Json& schema) {
  std::vector<const Json*> parts;
  if (!schema.is_object()) return parts;
  for (const auto& [name, value] : schema.members()) {
    if (is_one_of(name, kConditions)) parts.push_back(&value);
    const bool is_list = (name == "allOf" || is_one_of(name, kChoices)) && value.is_array();
    if (!is_list) continue;
    for (const Json& part : value.items()) parts.push_back(&part);
  }
  return parts;
}

// Whether a schema, or a list of them, stands behind that keyword.
bool holds_schemas(std::string_view keyword) {
  return is_one_of(keyword, kPlaces) || is_one_of(keyword, kChoices) ||
         is_one_of(keyword, kConditions) || keyword == "allOf" || keyword == "not";
}

// Whether several schemas list the properties of one object.
bool is_group(const Json& schema) {
  if (!schema.is_object()) return false;
  const Json* all = schema.find("allOf");
  const bool has_parts = !parts_in_place(schema).empty() || !reference_of(schema).empty();
  return (all != nullptr && all->is_array() && all->items().size() > 1) ||
         (schema.find("properties") != nullptr && has_parts);
}

class Closer {
 public:
  explicit Closer(const Json& root) : root_(root) {
    for (const std::string_view map : {"$defs", "definitions"}) {
      const Json* all = root.find(map);
      if (all == nullptr || !all->is_object()) continue;
      for (const auto& [name, value] : all->members()) {
        definitions_.emplace("#/" + std::string(map) + "/" + name, &value);
      }
    }
    find_parts(root);
  }

  Result<Json> close() {
    Json made = walk(root_, true);
    if (looks_ <= kLooksMax) return made;
    return error(StatusCode::kResourceExhausted, "its objects are made of too many parts: to see "
                 "what each has, more than {} members of schemas would be read", kLooksMax);
  }

 private:
  struct Listing {
    std::vector<std::string_view> names;
    std::set<std::string_view> references;
    bool is_open = false;  // a part says that there may be more, or is not known
  };
  using Names = std::vector<std::string_view>;

  const Json* target(std::string_view reference) const {
    if (reference == "#") return &root_;
    const auto found = definitions_.find(reference);
    return found == definitions_.end() ? nullptr : found->second;
  }

  // Of an object: whatever part of it lists them.
  void list(const Json& schema, Listing& listing) {
    ++looks_;
    if (!schema.is_object()) return;
    looks_ += schema.members().size();
    const Json* own = schema.find("properties");
    if (own != nullptr && own->is_object()) {
      looks_ += own->members().size();
      if (looks_ > kLooksMax) return;
      for (const auto& [name, value] : own->members()) listing.names.push_back(name);
    }
    for (const std::string_view opening : kOpenings) {
      const Json* more = schema.find(opening);
      listing.is_open |= more != nullptr && *more != Json(false);
    }
    for (const Json* part : parts_in_place(schema)) {
      if (looks_ <= kLooksMax) list(*part, listing);
    }
    const std::string_view reference = reference_of(schema);
    if (reference.empty() || !listing.references.insert(reference).second) return;
    const bool is_known = listing.references.size() <= kReferencesMax;
    const Json* meant = is_known ? target(reference) : nullptr;
    listing.is_open |= meant == nullptr;
    if (meant != nullptr && looks_ <= kLooksMax) list(*meant, listing);
  }

  // Definitions that are parts of an object are not closed by themselves.
  void find_parts(const Json& schema) {
    if (!schema.is_object()) return;
    if (is_group(schema) && looks_ <= kLooksMax) {
      Listing listing;
      list(schema, listing);
      parts_.insert(listing.references.begin(), listing.references.end());
    }
    for (const auto& [name, value] : schema.members()) {
      if (is_one_of(name, kMaps) && value.is_object()) {
        for (const auto& [key, part] : value.members()) find_parts(part);
      } else if (holds_schemas(name) && value.is_array()) {
        for (const Json& part : value.items()) find_parts(part);
      } else if (holds_schemas(name)) {
        find_parts(value);
      }
    }
  }

  Json walk_list(const Json& list, bool closes) {
    std::vector<Json> made;
    for (const Json& item : list.items()) made.push_back(walk(item, closes));
    return Json::array(std::move(made));
  }

  std::vector<Json::Member> walk_map(const Json& map, const std::string& name) {
    std::vector<Json::Member> made;
    for (const auto& [key, value] : map.members()) {
      made.emplace_back(key, walk(value, !parts_.contains("#/" + name + "/" + key)));
    }
    return made;
  }

  Json walk(const Json& schema, bool closes) {
    if (!schema.is_object() || looks_ > kLooksMax) return schema;
    const bool is_whole = closes && !is_group(schema);  // its parts are objects of their own
    const std::optional<Names> others = closes ? names_of_others(schema) : std::nullopt;
    const auto with_others = [&](std::vector<Json::Member> properties) {
      for (const std::string_view name : others.value_or(Names())) {
        properties.emplace_back(name, true);
      }
      return Json::object(std::move(properties));
    };
    std::vector<Json::Member> made;
    for (const auto& [name, value] : schema.members()) {
      const bool is_part = name == "allOf" || is_one_of(name, kChoices);
      if (is_one_of(name, kMaps) && value.is_object()) {
        std::vector<Json::Member> map = walk_map(value, name);
        made.emplace_back(name, name == "properties" ? with_others(std::move(map))
                                                     : Json::object(std::move(map)));
      } else if (is_one_of(name, kPlaces)) {
        made.emplace_back(name, value.is_array() ? walk_list(value, true) : walk(value, true));
      } else if (is_part && value.is_array()) {
        made.emplace_back(name, walk_list(value, is_whole));
      } else if (is_one_of(name, kConditions)) {
        made.emplace_back(name, walk(value, false));
      } else {
        made.emplace_back(name, value);
      }
    }
    const bool has_own = schema.find("properties") != nullptr;
    if (others && !has_own) made.emplace_back("properties", with_others({}));
    const bool is_object = others || (closes && lists_properties(schema));
    if (is_object && schema.find("type") == nullptr) made.emplace_back("type", "object");
    if (others) made.emplace_back("additionalProperties", false);
    return Json::object(std::move(made));
  }

  // Of an object that is to have no more than what is listed: what its parts list beside its own
  // properties. Nothing: it stays as it is.
  std::optional<Names> names_of_others(const Json& schema) {
    const Json* own = schema.find("properties");
    const bool has_list = own != nullptr ? lists_properties(schema) : is_group(schema);
    if (!has_list || schema.find("additionalProperties") != nullptr) return std::nullopt;
    Listing listing;
    list(schema, listing);
    const bool is_silent = own == nullptr && listing.names.empty();
    if (listing.is_open || is_silent || looks_ > kLooksMax) return std::nullopt;
    std::set<std::string_view> known;
    if (own != nullptr) {
      for (const auto& [name, value] : own->members()) known.insert(name);
    }
    Names others;
    for (const std::string_view name : listing.names) {
      if (known.insert(name).second) others.push_back(name);
    }
    return others;
  }

  const Json& root_;
  std::map<std::string, const Json*, std::less<>> definitions_;  // "#/$defs/Base"
  std::set<std::string_view, std::less<>> parts_;                // likewise
  std::size_t looks_ = 0;
};

}  // namespace

Result<Json> closed_schema(const Json& schema) { return Closer(schema).close(); }

}  // namespace quire
