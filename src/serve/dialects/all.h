// The protocols that this server speaks: one row each. The first one tells errors that belong to
// nobody; where two share a path, a route that asks for a header, which is there, comes first.
// Constants. Used by Server.
#pragma once

#include <span>

#include "serve/route.h"

namespace quire {

std::span<const Dialect* const> all_dialects();

}  // namespace quire
