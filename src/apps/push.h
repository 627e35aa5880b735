// `quire push NAME`: a model of the local store to a registry of Ollama's kind. See the help text
// in push.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_push(Command& parent, std::function<int()>& chosen);

}  // namespace quire
