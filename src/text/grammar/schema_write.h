// The second reading of a schema: the document again, with every schema that SchemaWalk reached
// written so that the compiler keeps exactly what a validator asks for, and without what only
// describes. Never wider than what was written.
// Pure; any thread. Used by schema_check.
#pragma once

#include "base/json.h"
#include "text/grammar/schema_walk.h"

namespace quire {

// REQUIRES: walk.run() went well, over this root.
Json write_schema(const Json& root, const SchemaWalk& walk);

}  // namespace quire
