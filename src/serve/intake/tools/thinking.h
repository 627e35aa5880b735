// Thinking: what a client says of how a model is to think, made into the switches that the model's
// chat template has.
// Pure; worker threads. Used by dialects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/hosted_model.h"
#include "text/chat_prompt.h"

namespace quire {

struct ThinkingWish {
  std::optional<bool> thinks;
  std::string effort;  // is_effort(), or empty: not said
  std::optional<std::int64_t> tokens_max;  // of a thought
};

// none, minimal, low, medium, high, xhigh, max.
bool is_effort(std::string_view text);

// What of a wish the template has a switch for.
struct ThinkingSwitched {
  bool thinks = false, effort = false;
};

// Sets the template's switches, which `chat.template_kwargs` that are there already overrule.
ThinkingSwitched set_thinking(const HostedModel& model, const ThinkingWish& wish, ChatPrompt& chat);

}  // namespace quire
