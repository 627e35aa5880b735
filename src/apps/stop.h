// `quire stop NAME...`: a running server unloads models, when their requests have finished.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace quire {

void declare_stop(CLI::App& parent, std::function<int()>& chosen);

}  // namespace quire
