// CostModel: how long a step takes on an imagined machine. The larger of reading all weights once
// and computing every token, plus reading the KV that the tokens attend to, plus a fixed part; the
// host's own time between steps is hidden when steps are launched ahead. Rough on purpose: what it
// must get right is the shape (decode is bound by reading, prefill by computing). Plain values.
#pragma once

#include <algorithm>

#include "base/nanos.h"
#include "core/step.h"

namespace quire {

struct CostModel {
  Nanos step_fixed{200'000};
  Nanos weights_read{12'000'000};      // a 1B model of 8 bits at 100 GB/s
  Nanos per_token{1'200'000};          // compute
  double kv_nanos_per_position = 300;  // read by one token
  Nanos host{100'000};                 // planning and booking

  Nanos step_time(const StepPlan& plan) const {
    double positions = 0;
    for (const StepRow& row : plan.rows) {
      // A chunk reads each KV block once for all of its tokens; their scores still cost a share.
      positions += row.first_position + row.tokens.count;
    }
    const Nanos compute = per_token * static_cast<Nanos::rep>(plan.tokens.size());
    const Nanos kv(static_cast<Nanos::rep>(positions * kv_nanos_per_position));
    return step_fixed + std::max(weights_read, compute) + kv;
  }
};

}  // namespace quire
