// HEAD and POST /api/blobs/sha256:...: whether a file is there, and sending one, which becomes a
// blob of the store only if its checksum is the one that was said. The body goes to a file of the
// store while it arrives. Blobs that no model names are collected with the store's other garbage.
// Worker threads, but open_ollama_blob(). Used by the Ollama dialect.
#pragma once

#include <memory>
#include <string_view>

#include "serve/call.h"

namespace quire {

inline constexpr std::string_view kShaMark = "sha256:";

Parsed<Call> parse_ollama_find_blob(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_ollama_send_blob(const DialectContext& context, const http::Request& request);
// Where the bytes go meanwhile; opens nothing yet. Null: the request will be refused.
std::shared_ptr<http::BodySink> open_ollama_blob(const DialectContext& context,
                                                 const http::Request& head);

}  // namespace quire
