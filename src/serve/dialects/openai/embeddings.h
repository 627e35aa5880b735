// POST /v1/embeddings: texts or token ids to vectors, as numbers or in base64, perhaps cut to their
// first columns where the model was trained for that.
// Used by openai.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_openai_embeddings(const DialectContext& context, const http::Request& request);

}  // namespace quire
