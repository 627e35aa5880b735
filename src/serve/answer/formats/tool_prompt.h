// Tools and calls as words of a prompt, for a template that leaves them out: the calls of a history
// as the model's format writes them, results as a user's words, and for a model that has learnt no
// format an instruction. A template that knows better is left alone.
// Pure; any thread. Used by intake before a chat is encoded.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer/formats/format.h"
#include "serve/answer/formats/tool.h"

namespace quire {

// `calls` as OpenAI's messages have them, arguments as objects or as their text.
std::string written_calls(const CallFormat& format, std::span<const Json> calls);

// What a model is told that has to write generic calls.
std::string tool_instruction(std::span<const Tool> tools);

struct ToolWords {
  const CallFormat* format = nullptr;  // how calls are written
  bool writes_calls = false;           // the template leaves tool_calls out
  bool writes_results = false;         // and messages of role "tool"
  std::span<const Tool> told;          // tools that the template does not tell of; empty: it does
};

// The messages with all of that written into their contents.
std::vector<Json> with_tool_words(std::vector<Json> messages, const ToolWords& words);

}  // namespace quire
