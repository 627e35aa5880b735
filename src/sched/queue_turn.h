// QueueTurn: how a request waits for its batch in sched/dynamic_batcher. The engine's inbox says it
// when the request comes, and hands it on.
// A plain value; any thread.
#pragma once

#include "base/nanos.h"

namespace quire {

struct QueueTurn {
  Nanos arrived{0};    // since when it waits
  bool counts = true;  // in the size_max of its level: of requests that came together, one does
};

}  // namespace quire
