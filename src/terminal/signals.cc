// Signals as flags: see signals.h.
#include "terminal/signals.h"

#include <signal.h>

#include <initializer_list>

namespace quire {
namespace {

volatile sig_atomic_t g_interrupted = 0;
volatile sig_atomic_t g_ending = 0;
volatile sig_atomic_t g_resized = 0;
volatile sig_atomic_t g_continued = 0;

void raise_flag(int signal) {
  if (signal == SIGINT) g_interrupted = 1;
  if (signal == SIGTERM || signal == SIGHUP) g_ending = 1;
  if (signal == SIGWINCH) g_resized = 1;
  if (signal == SIGCONT) g_continued = 1;
}

bool take(volatile sig_atomic_t& flag) {
  const bool was_raised = flag != 0;
  flag = 0;
  return was_raised;
}

}  // namespace

void catch_signals() {
  struct sigaction action{};
  action.sa_handler = raise_flag;
  ::sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT}) {
    ::sigaction(signal, &action, nullptr);
  }
}

bool is_interrupted() { return g_interrupted != 0 || is_ending(); }
bool take_interrupt() { return take(g_interrupted); }
bool is_ending() { return g_ending != 0; }
bool take_window_change() { return take(g_resized); }
bool take_continuation() { return take(g_continued); }

}  // namespace quire
