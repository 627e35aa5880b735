// build_sample_spec: for every wanted logits row of a plan, what to do with it: score the prompt
// token that is known to follow, or draw, with whose parameters, after which history, with which
// noise (the branch's number), and what may not be drawn yet. Called when everything before the
// plan is committed for its sequences, so that no promise is left in the history.
// Rows of branches that have ended are marked: nobody will read what they draw.
#pragma once

#include <deque>
#include <vector>

#include "core/step.h"
#include "sched/scheduler.h"

namespace quire {

// Arrays that a spec points to and no sequence owns; kept until the ticket is finished.
using SpecStorage = std::deque<std::vector<TokenId>>;

SampleSpec build_sample_spec(const StepPlan& plan, const Scheduler& scheduler,
                             const std::vector<TokenId>& eos_ids, SpecStorage& storage);

}  // namespace quire
