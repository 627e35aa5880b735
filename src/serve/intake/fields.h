// Fields: the top level of a request's JSON, read field by field. Each reading marks its field as
// known; null counts as absent. The first mistake is remembered and the reading goes on with empty
// values, so that a parser is a straight list of fields with one question at its end. What nobody
// read is unknown. One request; one thread. Used by dialects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/intake/api_error.h"
#include "serve/intake/field_notes.h"

namespace quire {

// Bounds of an integer field of which an int is made.
inline constexpr std::int64_t kInt32Min = std::numeric_limits<std::int32_t>::min();
inline constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();

struct Range {
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
  bool is_min_open = false;  // min itself is not allowed
};

// A field that we know but do not deliver: only `neutral` and `other` (JSON texts) and null, which
// is nothing, are accepted.
struct NeutralField {
  const char* name;
  const char* neutral;
  const char* other = "null";
};

class Fields {
 public:
  explicit Fields(const Json& object);  // which outlives this

  const Json* any(std::string_view name);  // null if absent
  bool has(std::string_view name) const;   // also where it is null
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<double> number(std::string_view name, Range range);
  const std::string* text(std::string_view name, std::size_t size_max);  // bytes

  void expect_neutral(std::span<const NeutralField> fields);

  void fail(ApiError error);  // the first one counts
  const std::optional<ApiError>& error() const { return error_; }

  std::vector<std::string> unknown() const;

 private:
  void fail_type(std::string_view name, std::string_view expected, const Json& value);

  const Json* look(std::string_view name);
  void note(std::string_view name, FieldKind kind, Range range = {}, const char* neutral = "") {
    if (notes_ != nullptr) notes_->add({std::string(name), kind, range.min, range.max, neutral});
  }

  const std::vector<Json::Member>* members_;
  FieldNotes* notes_ = FieldNotes::claim();  // null: nobody takes any
  std::vector<bool> known_;  // [members]
  std::optional<ApiError> error_;
};

// The body of a request as a JSON value. Refuses what is no JSON, naming the field at fault where
// that is possible.
Parsed<Json> read_json_body(std::string_view body);

// A value as it can be shown in a message: short, one line.
std::string shown(const Json& value);

// The first top-level field of `body` whose value is no JSON; for errors that name a field.
std::string field_at_fault(std::string_view body);

}  // namespace quire
