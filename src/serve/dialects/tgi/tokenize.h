// POST /tokenize in TGI's form: `inputs` as a list of tokens with their places, and POST
// /chat_tokenize: a chat as its template writes it, and the tokens of that. Answered without the
// engine.
// Pure; worker threads. Used by routes and, for the path that both have, by vLLM's dialect.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_tgi_tokenize(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_tgi_chat_tokenize(const DialectContext& context, const http::Request& request);

}  // namespace quire
