// POST /vertex: Vertex AI's form of TGI: {"instances": [...]}, each a text to go on with or a chat,
// answered by {"predictions": [text, ...]} in their order. Each is asked of this server itself, so
// that it is read, bounded and counted as if its client had sent it alone; the first that fails is
// what the client is told, and ends the others.
// I/O thread. Used by the TGI dialect.
#pragma once

#include <memory>

#include "serve/call.h"
#include "serve/http/exchange.h"

namespace quire {

void predict_for_vertex(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);

}  // namespace quire
