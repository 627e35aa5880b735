// `quire serve`. See declare_serve's help text in serve.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_serve(Command& parent, std::function<int()>& chosen);

}  // namespace quire
