// `quire simulate`. See declare_simulate's help text in simulate.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_simulate(Command& parent, std::function<int()>& chosen);

}  // namespace quire
