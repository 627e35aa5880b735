// From what a client of Ollama's wrote to token ids that fit: what is too long is cut as Ollama
// cuts it, with a warning, or refused where the client wants that.
// Pure; worker threads. Used by generate.
#pragma once

#include <vector>

#include "serve/dialects/ollama/request.h"
#include "text/chat_prompt.h"

namespace quire {

// Positions that prompt and answer may take.
std::uint32_t context_of(const OllamaRequest& request);

// A chat that is too long loses its oldest messages, but for those of the system and the last.
Parsed<std::vector<TokenId>> encode_fitting(OllamaRequest& request, ChatPrompt chat);

// A text that is meant as it is, control tokens included.
Parsed<std::vector<TokenId>> encode_plain(OllamaRequest& request, std::string_view text);

// The answer goes between the two.
Parsed<std::vector<TokenId>> encode_between(OllamaRequest& request, std::string_view before,
                                            std::string_view behind);

// What is still too long loses what stands behind its first tokens.
Parsed<std::vector<TokenId>> fit_tokens(OllamaRequest& request, std::vector<TokenId> ids,
                                        const std::string& field);

}  // namespace quire
