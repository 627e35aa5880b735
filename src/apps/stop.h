// `quire stop NAME...`: a running server unloads models, when their requests have finished.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_stop(Command& parent, std::function<int()>& chosen);

}  // namespace quire
