// `quire tokenize`. See declare_tokenize's help text in tokenize.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace quire {

void declare_tokenize(CLI::App& parent, std::function<int()>& chosen);

}  // namespace quire
