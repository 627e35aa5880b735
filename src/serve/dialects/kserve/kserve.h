// The Open Inference Protocol (KServe v2) over HTTP, with Triton's extensions: its routes under
// /v2.
// A constant. Used by dialects/all.
#pragma once

#include "serve/route.h"

namespace quire {

extern const Dialect kKserveDialect;

}  // namespace quire
