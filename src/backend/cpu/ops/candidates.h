// The best of a row of logits, and the sum over it: what a draw is made of. Each reads one row from
// begin to end in an order of its own, so its result depends on nothing else. Pure; any thread.
// Called by draw_row.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel_table.h"

namespace quire {

struct Candidate {
  std::int32_t token = 0;
  float logit = 0;
};

// log(sum(exp(logits))) in a fixed order; NaN or infinity when a logit is. REQUIRES: not empty.
double logsumexp(const KernelTable& kernels, std::span<const float> logits);

// The largest, best first, ties to the smaller token id; NaN ranks below everything.
// out: [count]. REQUIRES: no more than there are logits.
void top_candidates(const KernelTable& kernels, std::span<const float> logits,
                    std::span<Candidate> out);

}  // namespace quire
