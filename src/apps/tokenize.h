// `quire tokenize`. See declare_tokenize's help text in tokenize.cc.
// Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_tokenize(Command& parent, std::function<int()>& chosen);

}  // namespace quire
