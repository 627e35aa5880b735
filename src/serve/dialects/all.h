// The protocols that this server speaks: one row each. The first one tells errors that belong to
// nobody; where two share a path, the one whose route asks for a header stands first.
// Constants. Used by Server.
#pragma once

#include <span>

#include "serve/route.h"

namespace quire {

std::span<const Dialect* const> all_dialects();

}  // namespace quire
