// `quire cp A B`: another name for a model of the store. See the help text in cp.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_cp(Command& parent, std::function<int()>& chosen);

}  // namespace quire
