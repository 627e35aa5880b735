// HEAD and POST /api/blobs/sha256:...: whether a file is there, and sending one, which becomes a
// blob of the store only if its checksum is the one that was said. A body is as large as any other
// may be (4 MiB): weights come by `quire create` or /api/pull. Blobs that no model names are
// collected with the store's other garbage.
// Worker threads. Used by the Ollama dialect.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_ollama_find_blob(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_ollama_send_blob(const DialectContext& context, const http::Request& request);

}  // namespace quire
