// Signals as flags: Ctrl-C, the end of the terminal, a new window size, being continued. Handlers
// only set flags and do not restart system calls, so a read at the prompt returns (EINTR) and the
// loops that look at the flags decide what to do. Process-wide; main thread.
#pragma once

namespace quire {

void catch_signals();  // SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT

bool is_interrupted();     // Ctrl-C since the last take_interrupt(), or is_ending()
bool take_interrupt();     // Ctrl-C since the last call
bool is_ending();          // SIGTERM or SIGHUP: leave
bool take_window_change();
bool take_continuation();  // in the foreground again after Ctrl-Z

}  // namespace quire
