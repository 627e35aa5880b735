// `quire list`: the models of the local store. See the help text in list.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_list(Command& parent, std::function<int()>& chosen);

}  // namespace quire
