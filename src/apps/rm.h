// `quire rm NAME`: models out of the store. See the help text in rm.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_rm(Command& parent, std::function<int()>& chosen);

}  // namespace quire
