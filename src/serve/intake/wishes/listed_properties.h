// A schema as TGI reads it: what lists `properties` is an object, whether it says so or not, and
// has those properties and no others, unless it speaks of others itself (`additionalProperties`,
// `patternProperties`). In schemas whose parts have to hold together (`allOf`, `not`, `if`, or
// `properties` beside `anyOf`, `oneOf` and `$ref`) others stay allowed: closing one part would shut
// out what another lists.
// Pure; worker threads. Used by constraint.
#pragma once

#include "base/json.h"

namespace quire {

Json with_listed_properties(const Json& schema);

}  // namespace quire
