// `quire serve`. See declare_serve's help text in serve.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace quire {

void declare_serve(CLI::App& parent, std::function<int()>& chosen);

}  // namespace quire
