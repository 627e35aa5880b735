// Acceptance: from the outcomes of a plan's wanted logits rows to what each of its rows brought. A
// row that verifies drafts accepts its draws from the first one on, as long as each equals the
// draft that was fed behind it, and the first that does not: so the text is the one that would have
// come without drafts. What lies behind that one counts for nothing. This is decided here and
// nowhere else. Pure; called by ModelRunner on the thread that drives the device.
#pragma once

#include <span>
#include <vector>

#include "core/step.h"
#include "runtime/sampler.h"

namespace quire {

// outcomes: [spec.rows.size()], moved from. One result per row of the plan, without logits hashes.
std::vector<RowResult> accept_rows(const StepPlan& plan, const SampleSpec& spec,
                                   std::span<Sampler::Outcome> outcomes);

}  // namespace quire
