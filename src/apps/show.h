// `quire show`. See declare_show's help text in show.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_show(Command& parent, std::function<int()>& chosen);

}  // namespace quire
