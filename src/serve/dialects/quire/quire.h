// Quire's own endpoints as a value: the page, health and readiness, metrics, the models of this
// process, status and its stream, and requests with what became of them.
// A constant. Used by dialects/all.
#pragma once

#include "serve/route.h"

namespace quire {

extern const Dialect kQuireDialect;

}  // namespace quire
