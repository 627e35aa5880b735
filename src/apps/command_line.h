// The command line: one table of subcommands, one page of help, suggestions for mistyped names.
// Each command is one file with a function declare_x that adds its flags and, when the user picks
// it, sets what is to run. Main thread.
#pragma once

namespace quire {

// Parses and runs; returns the process's exit status (0 done, 1 failed, 2 mistaken usage).
int run_command_line(int argc, char** argv);

}  // namespace quire
