// A backend with a planted fault: its products depend, in the last bit, on how many tokens share
// the call. Everything else is passed on. Proof that the invariance tests can fail.
#pragma once

#include <memory>

#include "base/status.h"
#include "backend/backend.h"

namespace quire::testing {

std::unique_ptr<Backend> plant_batch_dependence(Result<std::unique_ptr<Backend>> backend);

}  // namespace quire::testing
