// What Ollama's clients ask about models: /api/tags (which there are), /api/ps (which are in
// memory), /api/show (one of them). Whatever has not been loaded yet is told as far as it is known.
// Used by the Ollama dialect; what runs on which thread says serve/route.h.
#pragma once

#include <cstdint>
#include <string>

#include "serve/call.h"

namespace quire {

// "7.6B", "134.52M".
std::string shown_count(std::uint64_t count);

Parsed<Call> parse_ollama_tags(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_ollama_running(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_ollama_show(const DialectContext& context, const http::Request& request);

}  // namespace quire
