// POST /v1/messages and /v1/messages/count_tokens: a conversation to a Call, or to the length that
// its prompt has. What is wrong with a request is told by the path of its field; a prompt that is
// too long in the words that agents look for ("prompt is too long: A tokens > B maximum").
// Pure; worker threads. Used by the Anthropic dialect.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_anthropic_message(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_anthropic_count(const DialectContext& context, const http::Request& request);

}  // namespace quire
