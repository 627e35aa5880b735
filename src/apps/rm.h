// `quire rm NAME`: models out of the store. See the help text in rm.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace quire {

void declare_rm(CLI::App& parent, std::function<int()>& chosen);

}  // namespace quire
