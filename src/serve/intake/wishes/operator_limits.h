// What the operator has said with --tgi-limits, as it holds for OpenAI's chats and completions: TGI
// has one validation for all its routes. The sentences are TGI's, and so are status and class.
// Pure; worker threads. Used by the OpenAI dialect.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/json.h"
#include "serve/intake/api_error.h"
#include "serve/intake/client_limits.h"
#include "serve/intake/constraint.h"
#include "serve/intake/generation.h"

namespace quire {

// `stop`, `best_of` and the alternatives of tokens (a chat's `top_logprobs`, a completion's
// `logprobs`) of a request's body, and its grammar.
std::optional<ApiError> refuse_beyond(const ClientLimits& limits, const Json& body,
                                      const std::optional<AskedGrammar>& grammar);

// Prompts of one request.
std::optional<ApiError> refuse_batch(const ClientLimits& limits, std::size_t prompts);

// `field`: where the tokens come from, such as "prompt".
std::optional<ApiError> refuse_input(const ClientLimits& limits, std::size_t tokens,
                                     const std::string& field);

}  // namespace quire
