#include "serve/intake/schemas/closed_schema.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
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

constexpr std::size_t kReferencesMax = 64;  // that one object is made of

std::string reference_of(const Json& schema) {
  const Json* reference = schema.find("$ref");
  return reference != nullptr && reference->is_string() ? reference->as_string() : std::string();
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
  explicit Closer(const Json& root) : root_(root) { find_parts(root); }

  Json close(const Json& schema) const { return walk(schema, true); }

 private:
  struct Listing {
    std::vector<std::string> names;
    std::set<std::string> references;
    bool is_open = false;  // a part says that there may be more, or is not known
  };

  const Json* target(const std::string& reference) const {
    if (reference == "#") return &root_;
    for (const std::string_view map : {"$defs", "definitions"}) {
      const std::string prefix = "#/" + std::string(map) + "/";
      const Json* all = root_.find(map);
      if (!reference.starts_with(prefix) || all == nullptr) continue;
      return all->find(reference.substr(prefix.size()));
    }
    return nullptr;
  }

  // Of an object: whatever part of it lists them.
  void list(const Json& schema, Listing& listing) const {
    if (!schema.is_object()) return;
    const Json* own = schema.find("properties");
    if (own != nullptr && own->is_object()) {
      for (const auto& [name, value] : own->members()) listing.names.push_back(name);
    }
    for (const std::string_view opening : kOpenings) {
      const Json* more = schema.find(opening);
      listing.is_open |= more != nullptr && *more != Json(false);
    }
    for (const Json* part : parts_in_place(schema)) list(*part, listing);
    const std::string reference = reference_of(schema);
    if (reference.empty() || !listing.references.insert(reference).second) return;
    const bool is_known = listing.references.size() <= kReferencesMax;
    const Json* meant = is_known ? target(reference) : nullptr;
    listing.is_open |= meant == nullptr;
    if (meant != nullptr) list(*meant, listing);
  }

  // Definitions that are parts of an object are not closed by themselves.
  void find_parts(const Json& schema) {
    if (schema.is_array()) {
      for (const Json& item : schema.items()) find_parts(item);
    }
    if (!schema.is_object()) return;
    if (is_group(schema)) {
      Listing listing;
      list(schema, listing);
      parts_.insert(listing.references.begin(), listing.references.end());
    }
    for (const auto& [name, value] : schema.members()) find_parts(value);
  }

  Json walk_list(const Json& list, bool closes) const {
    Json made = Json::array();
    for (const Json& item : list.items()) made.push(walk(item, closes));
    return made;
  }

  Json walk_map(const Json& map, const std::string& name) const {
    Json made = Json::object();
    for (const auto& [key, value] : map.members()) {
      made.set(key, walk(value, !parts_.contains("#/" + name + "/" + key)));
    }
    return made;
  }

  Json walk(const Json& schema, bool closes) const {
    if (!schema.is_object()) return schema;
    const bool is_whole = closes && !is_group(schema);  // its parts are objects of their own
    Json made = Json::object();
    for (const auto& [name, value] : schema.members()) {
      const bool is_part = name == "allOf" || is_one_of(name, kChoices);
      if (is_one_of(name, kMaps) && value.is_object()) {
        made.set(name, walk_map(value, name));
      } else if (is_one_of(name, kPlaces)) {
        made.set(name, value.is_array() ? walk_list(value, true) : walk(value, true));
      } else if (is_part && value.is_array()) {
        made.set(name, walk_list(value, is_whole));
      } else if (is_one_of(name, kConditions)) {
        made.set(name, walk(value, false));
      } else {
        made.set(name, value);
      }
    }
    if (closes && (schema.find("properties") != nullptr || is_group(schema))) shut(schema, made);
    return made;
  }

  // No more than what is listed.
  void shut(const Json& schema, Json& made) const {
    Listing listing;
    list(schema, listing);
    if (listing.is_open || listing.names.empty() ||
        schema.find("additionalProperties") != nullptr) {
      return;
    }
    const Json* own = made.find("properties");
    Json properties = own != nullptr ? *own : Json::object();
    for (const std::string& name : listing.names) {
      if (properties.find(name) == nullptr) properties.set(name, true);
    }
    made.set("properties", std::move(properties));
    made.set("additionalProperties", false);
  }

  const Json& root_;
  std::set<std::string> parts_;  // "#/$defs/Base"
};

}  // namespace

Json closed_schema(const Json& schema) { return Closer(schema).close(schema); }

}  // namespace quire
