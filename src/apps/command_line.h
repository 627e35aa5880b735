// The command line: one table of subcommands, one page of help, suggestions for mistyped names.
// Each command is one file with a function declare_x that adds its flags and, when the user picks
// it, sets what is to run. Main thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

// Parses and runs; returns the process's exit status (0 done, 1 failed, 2 mistaken usage).
int run_command_line(int argc, char** argv);

// The candidate nearest to `word` by edit distance, if it is near enough to be a slip.
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace quire
