// `quire ps`: the models of a running server: which are in memory, how much they take, how busy
// they are. Declares the subcommand; sets `chosen` when the user picked it.
// Main thread.
#pragma once

#include <functional>
#include <string>

#include "base/json.h"

namespace quire {

class Command;

void declare_ps(Command& parent, std::function<int()>& chosen);

// The table that is printed, from what GET /quire/models says.
std::string models_table(const Json& answer);

}  // namespace quire
