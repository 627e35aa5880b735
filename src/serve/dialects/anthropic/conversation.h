// SentConversation: `system`, `messages`, `tools`, `tool_choice` and `thinking` of a request,
// checked and made into what a chat template reads. A string and one text block are the same; turns
// of one role that follow each other are one; a tool's result becomes a message of its own; a last
// turn of the assistant is gone on with. Where the model's template has no place for calls and
// results they are shown to it as text, and a warning says so. What is not text is refused by name.
//
// Blocks with cache_control are remembered as conversations that end there, so that a model with
// states can be asked to keep one at that place.
// Pure; worker threads. Used by messages.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "host/hosted_model.h"
#include "serve/dialects/anthropic/warnings.h"
#include "serve/intake/fields.h"
#include "serve/intake/tools/offered_tools.h"
#include "serve/intake/volatile_lines.h"
#include "text/chat_prompt.h"

namespace quire {

struct SentConversation {
  ChatPrompt chat;
  OfferedTools offered;
  std::vector<std::vector<Json>> kept_ends;  // messages up to each cache_control, in order
  std::vector<VolatileLine> volatile_lines;
  bool hides_thinking = false;  // thinking.display is "omitted"
  std::optional<std::int64_t> thought_tokens_max;  // thinking.budget_tokens
};

// Mistakes go to `fields`. `model` may be null after one.
SentConversation read_conversation(Fields& fields, const HostedModel* model,
                                   bool keeps_volatile_lines, AnthropicWarnings& notes);

}  // namespace quire
