// `quire run [MODEL] [PROMPT]`: one answer, or a chat with history, in the terminal. Answers
// stream; Ctrl-C stops the answer, not the program; piped input is the prompt.
// Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_run(Command& parent, std::function<int()>& chosen);

}  // namespace quire
