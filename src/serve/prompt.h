// Prompts: from what a client wrote to token ids. A text that cannot fit is refused before it is
// tokenized. A chat is rendered by the model's template and encoded as one text; where a message's
// own content reads like a control token ("<|im_end|>"), that place is encoded as plain letters, so
// that nobody speaks as somebody else. Ordinary chats have exactly the ids of the whole rendered
// text. Pure; worker threads. Used by dialects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "host/hosted_model.h"
#include "serve/api_error.h"

namespace quire {

// A text of the client's own making: control tokens in it are meant.
Parsed<std::vector<TokenId>> encode_text(const HostedModel& model, std::string_view text,
                                         bool add_special, const std::string& field);

struct ChatPrompt {
  std::vector<Json> messages;     // objects with role and content, as the template sees them
  std::vector<Json::Member> template_kwargs;
  bool add_generation_prompt = true;
  bool continue_final_message = false;  // the last message stays open
  bool add_special_tokens = false;
};

Parsed<std::vector<TokenId>> encode_chat(const HostedModel& model, const ChatPrompt& chat);

// Chooses how many tokens may be generated: what was asked for, or `fallback` fitted to the room
// that the prompt leaves. An error if it does not fit; nothing is ever cut.
Parsed<int> fit_tokens_max(const ModelInfo& info, std::size_t prompt_tokens,
                           std::optional<std::int64_t> asked, std::int64_t fallback,
                           const std::string& field);

}  // namespace quire
