#include "text/grammar/schema_blame.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "text/grammar/schema_check.h"
#include "text/grammar/schema_walk.h"

namespace quire {
namespace {

constexpr std::string_view kRoot = "#/$defs/r";  // the schema inside of another one

// What the compiler says, by a part of it; the keyword that it speaks of, and our words for it.
struct Reason {
  std::string_view said;
  std::string_view keyword;  // empty: the schema as a whole
  std::string_view words;    // empty: the compiler's
};
constexpr Reason kReasons[] = {
    {"oneOf constraints are not supported", "oneOf",
     "its alternatives may hold at the same time; give each a type, or a required property with "
     "values of its own, by which it can be told from the others, or use anyOf"},
    {"are not disjoint", "patternProperties", "two of its patterns may match the same name"},
    {"are disjoint", "patternProperties", "two of its patterns may match the same name"},
    {"min/maxProperties only supported", "minProperties",
     "minProperties and maxProperties want every listed property to be required"},
    {"circular references with sibling keys", "$ref",
     "a reference that leads back to itself has other keywords beside it"},
    {"Unable to determine if regex is empty", "pattern", "it takes too long to tell whether any "
                                                         "text matches"},
    {"Unsatisfiable schema", "", ""},
    {"NoExtensionBias", "", "no value satisfies it"},
};

const Reason* reason_of(const Status& failure) {
  for (const Reason& reason : kReasons) {
    if (failure.message().find(reason.said) != std::string::npos) return &reason;
  }
  return nullptr;
}

// For a fragment of a reference.
std::string percent_encode(std::string_view pointer) {
  std::string out;
  for (const char c : pointer) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || c == '/' || c == '~' || c == '-' || c == '_' ||
                          c == '.' || c == '$';
    if (is_plain) out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// The value with its references, which meant its own root, meaning kRoot. Names of resources go:
// they would make it a root again.
Json rebased(const Json& value) {
  if (value.is_array()) {
    std::vector<Json> items;
    for (const Json& item : value.items()) items.push_back(rebased(item));
    return Json::array(std::move(items));
  }
  if (!value.is_object()) return value;
  std::vector<Json::Member> members;
  for (const auto& [key, inner] : value.members()) {
    if (key == "$id" && inner.is_string()) continue;
    const bool is_own = key == "$ref" && inner.is_string() &&
                        (inner.as_string() == "#" || inner.as_string().starts_with("#/"));
    members.emplace_back(key, is_own ? Json(std::string(kRoot) + inner.as_string().substr(1))
                                     : rebased(inner));
  }
  return Json::object(std::move(members));
}

struct Inner {
  const Json* schema = nullptr;
  std::string pointer;
};

const Json* at_pointer(const Json& root, std::string_view pointer) {
  const Json* value = &root;
  while (!pointer.empty()) {
    const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
    value = value->find(pointer.substr(1, end - 1));  // plain names, which is what tools write
    if (value == nullptr) return nullptr;
    pointer.remove_prefix(end);
  }
  return value;
}

std::vector<Inner> schemas_in(const Json& root, const Inner& outer) {
  std::vector<Inner> inner;
  for (const auto& [keyword, value] : outer.schema->members()) {
    const std::string pointer = outer.pointer + "/" + escape_pointer(keyword);
    const bool is_map = keyword == "properties" || keyword == "patternProperties";
    const bool is_list = keyword == "allOf" || keyword == "anyOf" || keyword == "oneOf" ||
                         keyword == "prefixItems" || keyword == "items";
    if (is_map && value.is_object()) {
      for (const auto& [name, schema] : value.members()) {
        inner.push_back({&schema, pointer + "/" + escape_pointer(name)});
      }
    } else if (is_list && value.is_array()) {
      for (std::size_t i = 0; i < value.items().size(); ++i) {
        inner.push_back({&value.items()[i], fmt::format("{}/{}", pointer, i)});
      }
    } else if (keyword == "items" || keyword == "additionalItems" ||
               keyword == "additionalProperties") {
      inner.push_back({&value, pointer});
    } else if (keyword == "$ref" && value.is_string() && value.as_string().starts_with("#/")) {
      const std::string target = value.as_string().substr(1);
      if (const Json* schema = at_pointer(root, target)) inner.push_back({schema, target});
    }
  }
  return inner;
}

}  // namespace

Status blame_schema(const GrammarSource& source, const Status& failure,
                    const std::function<Status(const GrammarSource&)>& compile) {
  const Reason* reason = reason_of(failure);
  Result<Json> root = parse_json(source.text, {.depth_max = 4 * kSchemaDepthMax});
  if (reason == nullptr || !root.is_ok() || !root->is_object()) {
    return error(failure.code(), "the schema: {}", failure.message());
  }
  const Json* options = root->find("x-guidance");
  const Json resource = rebased(*root);

  const auto placed = [&](const Inner& found) {
    std::string place = found.pointer;
    if (!reason->keyword.empty()) place += "/" + std::string(reason->keyword);
    return error(failure.code(), "{}: {}", place.empty() ? "the schema" : place,
                 reason->words.empty() ? std::string_view(failure.message()) : reason->words);
  };

  Inner blamed{&*root, ""};
  std::set<const Json*> seen = {&*root};
  std::size_t attempts =
      std::clamp<std::size_t>(kBlameBytesMax / source.text.size(), 1, kBlameAttemptsMax);
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (Inner& inner : schemas_in(*root, blamed)) {
      if (!inner.schema->is_object() || !seen.insert(inner.schema).second) continue;
      if (attempts-- == 0) return placed(blamed);
      Json alone = Json::object({{"$defs", Json::object({{"r", resource}})}});
      alone.set("$ref", std::string(kRoot) + percent_encode(inner.pointer));
      if (options != nullptr) alone.set("x-guidance", *options);
      const Status status = compile({GrammarKind::kJsonSchema, dump(alone)});
      if (status.is_ok() || reason_of(status) != reason) continue;
      blamed = std::move(inner);
      goes_on = true;
      break;
    }
  }
  return placed(blamed);
}

}  // namespace quire
