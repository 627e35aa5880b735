// A backend whose products depend on how many tokens a step has: what the invariance tests must
// catch. For tests.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace quire::testing {

// Of the best instruction set; `threads` of its own.
std::unique_ptr<Backend> planted_backend(int threads);

}  // namespace quire::testing
