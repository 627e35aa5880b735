// GET /quire/repository, POST /quire/repository/{model}/load and .../unload: what the model
// repository has and serves, and orders to it, answered when they are carried out. Where there is
// no repository, 404. I/O thread. Used by quire.
#pragma once

#include <memory>

#include "serve/call.h"
#include "serve/http/exchange.h"

namespace quire {

// On a worker thread: the names of the folders are looked at.
Parsed<Call> parse_repository_list(const DialectContext& context, const http::Request& request);
void load_from_repository(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);
void unload_from_repository(const DialectContext& context,
                            std::shared_ptr<http::Exchange> exchange);

}  // namespace quire
