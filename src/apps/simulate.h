// `quire simulate`. See declare_simulate's help text in simulate.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace quire {

void declare_simulate(CLI::App& parent, std::function<int()>& chosen);

}  // namespace quire
