// The tools of a request: `tools` and `tool_choice`, and `thinking` with `output_config.effort` to
// the switches that some templates have. Tools that the service runs itself are named in a warning.
// Pure; worker threads. Used by conversation.
#pragma once

#include <string>

#include "host/hosted_model.h"
#include "serve/dialects/anthropic/warnings.h"
#include "serve/intake/fields.h"
#include "serve/intake/tools/offered_tools.h"
#include "text/chat_prompt.h"

namespace quire {

// True: a tool has a cache_control.
bool read_anthropic_tools(Fields& fields, OfferedTools& offered, AnthropicWarnings& notes);

// Fills chat.template_kwargs. True: thoughts are not to be shown (display is "omitted").
// `tokens_max`: what the thought may have, where that can be enforced.
bool read_anthropic_thinking(Fields& fields, const HostedModel* model, ChatPrompt& chat,
                             std::optional<std::int64_t>& tokens_max, AnthropicWarnings& notes);

// {"type": "ephemeral", "ttl": "5m" or "1h"} or null; anything else is a mistake at `path`.
bool has_cache_control(Fields& fields, const Json& block, const std::string& path);

}  // namespace quire
