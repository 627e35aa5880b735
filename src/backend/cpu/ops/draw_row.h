// One row of logits and one DrawTask in, a token and its log-probabilities out: the arithmetic of
// sampling, in the order that runtime/sampler.h tells. Pure; CpuBackend::draw calls it for each row
// on whichever worker comes.
#pragma once

#include <span>

#include "backend/draw.h"
#include "kernels/kernel_table.h"

namespace quire {

// logits: [vocabulary]. REQUIRES: every token that the task names lies in it.
Drawn draw_row(const KernelTable& kernels, const DrawTask& task, std::span<const float> logits);

}  // namespace quire
