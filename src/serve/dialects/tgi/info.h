// GET /info: the model that TGI's endpoints answer with, and what one request may ask for, as its
// clients probe it. Numbers of a model that was never loaded are null.
// I/O thread. Used by routes.
#pragma once

#include "serve/call.h"

namespace quire {

http::Response show_tgi_info(const DialectContext& context, const http::Request& request);

}  // namespace quire
