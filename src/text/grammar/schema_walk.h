// SchemaWalk: the first reading of a schema. It goes from the root through every keyword and $ref,
// refuses what cannot be kept, and remembers which values of the document are schemas, so that the
// second reading (schema_write.h) knows what to write anew and what is not looked at.
// Pure; one schema, one thread. Used by schema_check.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace quire {

// Editions of JSON Schema, oldest first.
enum class SchemaDraft : std::uint8_t { k4, k6, k7, k2019, k2020 };

// What `$schema` of an object says; else `inherited`. Nothing: an edition that nobody here knows.
std::optional<SchemaDraft> draft_of(const Json& schema, SchemaDraft inherited);

// Whether a value of this type ("string", "object", ...) may satisfy `type` of the schema.
bool admits(const Json& schema, std::string_view type);

// Whether the keyword is one of that edition's, not supported, and yet says nothing here:
// uniqueItems: false, then without if.
bool says_nothing(const Json& schema, std::string_view keyword, const Json& value);

// Whether a keyword that asserts something is not supported.
bool is_refused_keyword(std::string_view keyword, SchemaDraft draft);

// Whether a keyword describes and asserts nothing.
bool is_note(std::string_view keyword);

// unevaluatedProperties: false where nothing but `properties` evaluates any.
bool is_additional_properties(const Json& schema, std::string_view keyword, const Json& value);

class SchemaWalk {
 public:
  // `counts_only`: of what it finds only a broken budget is an error.
  explicit SchemaWalk(const Json& root, bool counts_only = false)
      : root_(&root), counts_only_(counts_only) {}

  Status run();

  // Null: this value is no schema that the root reaches.
  const SchemaDraft* draft(const Json& value) const {
    const auto found = drafts_.find(&value);
    return found == drafts_.end() ? nullptr : &found->second;
  }
  bool has_references() const { return has_references_; }

 private:
  // Where a schema stands.
  struct Place {
    const Json* schema = nullptr;
    SchemaDraft draft = SchemaDraft::k2020;
    const Json* resource = nullptr;  // what "#" means here
    std::string pointer;
    std::size_t depth = 0;  // in the text
    std::size_t chain = 0;  // through references as well
  };
  struct Multiple {
    std::uint64_t coefficient = 0;
    std::uint32_t exponent = 0;  // coefficient * 10^-exponent
    std::string pointer;
  };

  bool is_fine(const Status& status) const {
    return status.is_ok() || (counts_only_ && status.code() != StatusCode::kResourceExhausted);
  }
  void note_names(const Json& value);
  Status visit(const Place& place);
  Status visit_keyword(const Place& place, const std::string& keyword, const Json& value);
  Status visit_inner(const Place& outer, const Json& inner, const std::string& pointer);
  Status visit_map(const Place& place, const std::string& keyword, const Json& value);
  Status visit_list(const Place& place, const std::string& keyword, const Json& value);
  Status visit_items(const Place& place, const Json& value);
  Status visit_reference(const Place& place, const Json& value);
  Result<Place> resolve(const Place& place, const std::string& reference) const;
  Status check_object_bounds(const Place& place);
  Status count_variants(const Place& place);
  Status check_type(const std::string& pointer, const Json& value);
  Status check_literal(const std::string& pointer, const Json& value, std::size_t depth);
  Status check_text(const std::string& pointer, const std::string& text) const;
  Status check_multiple(const std::string& pointer, const Json& value);
  Status check_multiples() const;
  Status check_number_keyword(const Place& place, const std::string& keyword, const Json& value,
                              const std::string& pointer);

  const Json* root_;
  bool counts_only_;
  std::unordered_map<const Json*, SchemaDraft> drafts_;  // of the schemas that were reached
  std::unordered_map<std::string, const Json*> ids_, anchors_;
  mutable std::map<std::pair<const Json*, std::string>, Place> resolved_;  // by resource and $ref
  std::vector<Multiple> multiples_;
  std::size_t values_ = 0;   // in enums and consts
  std::size_t squares_ = 0;  // of the numbers of properties
  std::unordered_map<const Json*, std::size_t> variants_;  // of what was visited
  bool has_references_ = false;
  bool intersects_ = false;  // schemas are taken together
};

// A name as a part of a JSON pointer (RFC 6901).
std::string escape_pointer(std::string_view name);

}  // namespace quire
