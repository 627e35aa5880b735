// Backends with a bug, which the invariance tests must catch: products that depend on how many
// tokens a step has; states of drafts in the wrong order. For tests.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace quire::testing {

// Of the best instruction set; `threads` of its own.
std::unique_ptr<Backend> planted_backend(int threads);

// Right for every row without drafts. Where a row leaves the state after each of its tokens, the
// one after token t + 1 stands for that after token t: a rollback keeps the wrong entry.
std::unique_ptr<Backend> planted_states_backend(int threads);

}  // namespace quire::testing
