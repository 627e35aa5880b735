// What a dialect has in the head of each of its answers, put there: the request's name and how long
// it took so far.
// I/O thread. Used by service.
#pragma once

#include "base/clock.h"
#include "serve/http/exchange.h"
#include "serve/route.h"

namespace quire {

// `arrived`: the request.
inline void complete_head(const Dialect& dialect, const http::Exchange& exchange, Nanos arrived,
                          http::Response& head) {
  if (dialect.complete_head == nullptr) return;
  dialect.complete_head({.request_id = exchange.request().id,
                         .elapsed = SteadyClock::now() - arrived}, head);
}

}  // namespace quire
