// Gives the requests of a call what their answers are held to: a constraint as it is, or within the
// frame that the call puts around it (a thought comes before).
// Pure; I/O thread. Used by Service.
#pragma once

#include <memory>

#include "serve/call.h"

namespace quire {

// Once a call: the frame is used up. Null: there is no constraint.
void hold(Call& call, const std::shared_ptr<const Constraint>& constraint);

}  // namespace quire
