// Endpoints of /v1/responses: create, show (also as a stream, for those in the background), delete,
// cancel, list input items, count input tokens, compact.
// Each says with its type on which thread it runs (serve/route.h). Used by the dialect's table.
#pragma once

#include <memory>

#include "serve/call.h"
#include "serve/http/exchange.h"

namespace quire {

Parsed<Call> parse_create_response(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_input_tokens(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_compact(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_list_input_items(const DialectContext& context, const http::Request& request);

void show_response(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);
void cancel_response(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);
void delete_response(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);

}  // namespace quire
