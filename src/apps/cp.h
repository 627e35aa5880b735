// `quire cp A B`: another name for a model of the store. See the help text in cp.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace quire {

void declare_cp(CLI::App& parent, std::function<int()>& chosen);

}  // namespace quire
