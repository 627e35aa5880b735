// closed_schema: a JSON Schema as Ollama and TGI read one: what lists properties is an object,
// whether it says so or not, and has these and no others, unless `additionalProperties` says that
// it may have more (in JSON Schema itself both is the other way round). That holds at every depth,
// in `$defs`, and for the parts of an `allOf` together, or of properties beside `anyOf` or `$ref`.
// What lists no properties, and what stands below `not`, stays as it is.
// Pure; any thread. Used by constraint.
#pragma once

#include "base/json.h"
#include "base/status.h"

namespace quire {

// `schema`: of a depth and size that are bounded by whoever has read it. kResourceExhausted: its
// objects are made of more parts than are looked at.
Result<Json> closed_schema(const Json& schema);

}  // namespace quire
