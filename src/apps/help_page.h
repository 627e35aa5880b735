// The pages of `quire --help` and `quire COMMAND --help`: 80 columns, made from what the commands
// declared, so that a new command or flag is there by itself.
// Pure functions; main thread. Called by command_line.
#pragma once

#include <string>

namespace quire {

class Command;

// One screen: what Quire is, how to start, every command in a line.
std::string overview_page(const Command& root);

// Arguments, commands and flags of one command.
std::string command_page(const Command& command);

}  // namespace quire
