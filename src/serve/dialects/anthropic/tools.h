// The tools of a request: `tools` and `tool_choice` to what a chat template reads as `tools`, and
// `thinking` to the switch that some templates have. What this server does not do with them yet is
// refused where a client could not go on without it, and named in a warning otherwise.
// Pure; worker threads. Used by conversation.
#pragma once

#include <string>

#include "host/hosted_model.h"
#include "serve/dialects/anthropic/warnings.h"
#include "serve/intake/fields.h"
#include "text/chat_prompt.h"

namespace quire {

// Fills chat.materials. True: a tool has a cache_control.
bool read_anthropic_tools(Fields& fields, const HostedModel* model, ChatPrompt& chat,
                          AnthropicWarnings& notes);

// Fills chat.template_kwargs. True: thoughts are not to be shown (display is "omitted").
bool read_anthropic_thinking(Fields& fields, const HostedModel* model, ChatPrompt& chat,
                             AnthropicWarnings& notes);

// {"type": "ephemeral", "ttl": "5m" or "1h"} or null; anything else is a mistake at `path`.
bool has_cache_control(Fields& fields, const Json& block, const std::string& path);

}  // namespace quire
