// What a field that is a list or an object looks like, as JSON Schema. Parsers look at such values
// themselves, so their notes (field_notes.h) say no more than the name; what stands here is
// for readers and for programs that try the endpoints, and openapi_test asks for every name.
// Plain constants; any thread. Used by openapi.
#pragma once

#include <string_view>

namespace quire {

struct FieldShape {
  std::string_view path;  // of the routes that begin with it
  std::string_view name;
  std::string_view schema;  // JSON text
  bool is_required = false;
};

// The first row that fits; null: nothing is known.
const FieldShape* find_shape(std::string_view pattern, std::string_view name);

}  // namespace quire
