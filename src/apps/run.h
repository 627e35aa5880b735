// `quire run [MODEL] [PROMPT]`: one answer, or a chat with history, in the terminal. Answers
// stream; Ctrl-C stops the answer, not the program; piped input is the prompt.
// Main thread.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace quire {

void declare_run(CLI::App& parent, std::function<int()>& chosen);

}  // namespace quire
