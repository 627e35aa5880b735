// `quire pull NAME`: a model of the hub or the default model into the local store. See the help
// text in pull.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_pull(Command& parent, std::function<int()>& chosen);

}  // namespace quire
