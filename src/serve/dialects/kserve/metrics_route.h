// The port of metrics, as Triton has one: /metrics and nothing else, with Triton's names beside
// whatever the main port shows.
// A constant; I/O thread. Used by Server.
#pragma once

#include "serve/route.h"

namespace quire {

extern const Dialect kMetricsDialect;

}  // namespace quire
