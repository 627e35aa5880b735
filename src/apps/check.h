// `quire check`. See declare_check's help text in check.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_check(Command& parent, std::function<int()>& chosen);

}  // namespace quire
