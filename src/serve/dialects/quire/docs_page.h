// GET /docs: all routes as a page to read, made of the same tables as /openapi.json, to which it
// has a link. Other servers have a page of that name; this one asks no other site for anything.
// I/O thread. Used by the dialect of our own routes.
#pragma once

#include "serve/call.h"

namespace quire {

http::Response show_docs(const DialectContext& context, const http::Request& request);

}  // namespace quire
