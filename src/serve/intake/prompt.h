// Prompts: from what a client wrote to token ids, with the errors of an API. A text that cannot fit
// is refused before it is tokenized; chats go through text/chat_prompt, as in the terminal.
// Pure; worker threads. Used by dialects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/hosted_model.h"
#include "serve/intake/api_error.h"
#include "text/chat_prompt.h"

namespace quire {

// A text of the client's own making: control tokens in it are meant.
// `is_cut`: what is too long will be cut, so that its length is no fault.
Parsed<std::vector<TokenId>> encode_text(const HostedModel& model, std::string_view text,
                                         bool add_special, const std::string& field,
                                         bool is_cut = false);

// Puts what the model's Modelfile says in front of a chat, once: its system message, unless the
// chat begins with one, and its turns.
void wear_dress(const HostedModel& model, ChatPrompt& chat);

// The code of errors that say why messages make no prompt.
inline constexpr const char* kTemplateError = "template_error";

Parsed<std::vector<TokenId>> encode_chat(const HostedModel& model, const ChatPrompt& chat,
                                         bool is_cut = false);

// Whether the model keeps states, which are there only at places that somebody asked for.
bool keeps_states(const HostedModel& model);

// How much of `prompt`, which is a chat's, is that of `part`, a beginning of the same chat; nothing
// where the part alone makes no prompt.
std::optional<std::uint32_t> end_of_part(const HostedModel& model, const ChatPrompt& part,
                                         const std::vector<TokenId>& prompt);

// Why an encoder that reads so many tokens gives no answer; nothing: it does.
std::optional<ApiError> refuse_encoded(const ModelInfo& info, std::size_t prompt_tokens,
                                       const std::string& field);

// Chooses how many tokens may be generated: what was asked for, or `fallback` fitted to the room
// that the prompt leaves. An error if it does not fit; nothing is ever cut.
Parsed<int> fit_tokens_max(const ModelInfo& info, std::size_t prompt_tokens,
                           std::optional<std::int64_t> asked, std::int64_t fallback,
                           const std::string& field);

}  // namespace quire
