// The tools of a chat request: `tools`, `tool_choice`, `parallel_tool_calls` and their past,
// `functions` and `function_call`. Names, schemas and choices are checked by intake/tools; kinds of
// tools that a server would run itself are refused by name.
// Pure; worker threads. Used by chat and vLLM's tokenize.
#pragma once

#include <vector>

#include "serve/intake/fields.h"
#include "serve/intake/tools/offered_tools.h"

namespace quire {

struct ChatTools : OfferedTools {
  bool is_legacy = false;  // the answer has a function_call in place of tool_calls
  bool is_named = false;   // the client has named the one to be called
};

// Mistakes go to `fields`.
ChatTools read_chat_tools(Fields& fields);

// TGI's `tool_prompt`: said behind the last message, where tools may be called; else a note.
// REQUIRES: the messages are in `chat`.
void add_tool_prompt(Fields& fields, const ChatTools& tools, ChatPrompt& chat,
                     std::vector<Warning>& notes);

// {"mode": "auto" or "required", "tools": [...]} of allowed_tools. `function`: the member in which
// a tool's name stands; empty: in the tool itself. False after a mistake.
bool read_allowed_tools(Fields& fields, const Json& allowed, const std::string& where,
                        std::string_view function, ToolChoice& choice);

}  // namespace quire
