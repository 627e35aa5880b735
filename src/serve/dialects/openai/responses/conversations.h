// Endpoints of /v1/conversations: items that turns of the Responses API are added to, kept until
// they are deleted or the archive needs the room.
// Worker threads. Used by the dialect's table.
#pragma once

#include "serve/call.h"

namespace quire {

Parsed<Call> parse_create_conversation(const DialectContext& context,
                                       const http::Request& request);
Parsed<Call> parse_show_conversation(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_update_conversation(const DialectContext& context,
                                       const http::Request& request);
Parsed<Call> parse_delete_conversation(const DialectContext& context,
                                       const http::Request& request);
Parsed<Call> parse_add_items(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_list_items(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_show_item(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_delete_item(const DialectContext& context, const http::Request& request);

}  // namespace quire
