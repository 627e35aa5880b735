// `quire show`. See declare_show's help text in show.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace quire {

void declare_show(CLI::App& parent, std::function<int()>& chosen);

}  // namespace quire
