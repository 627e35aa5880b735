// MemoryPlan: what a model will take, known before any of it is taken: its weights as they will be
// packed, and the KV blocks that it gets. Several models in one process are planned against one
// limit: without a wish of the user's, a model's KV is what rows_max full contexts need, at most
// what an equal share of the limit leaves beside its weights (or, where they are more than the
// share, half of what they leave of the limit), and at least one full context. Buffers of a step
// (activations and logits) are counted apart: the limit is about what lasts, beside which they are
// small, unless somebody wishes for very many sequences or tokens; check_room() refuses those.
// A model of several instances has weights and KV for each of them, and one copy of its tables;
// what is asked for (blocks, bytes) is of each. A file of packed weights that is mapped counts as
// often, although the instances share its pages.
// Called by apps when a model's files are open; the plan is an order to make_executor.
#pragma once

#include <cstdint>

#include "model/model_files.h"
#include "runtime/make_executor.h"

namespace quire {

struct MemoryLimit {
  std::uint64_t bytes = 0;   // of all models together; 0: none
  std::uint64_t models = 1;  // that share it; several: each has its embedding in memory
};

struct MemoryPlan {
  std::uint64_t weight_bytes = 0;
  std::uint64_t kv_bytes = 0;
  std::uint32_t kv_blocks = 0;  // allocatable, of one instance: for CapacityRequest
  std::uint64_t step_bytes = 0;  // about: of all instances' buffers
  std::uint32_t rows_max = 0, tokens_max = 0;  // of a step, that those are for

  std::uint64_t bytes() const { return weight_bytes + kv_bytes; }
};

Result<MemoryPlan> plan_memory(const ModelFiles& files, Backend& backend,
                               const LocalOptions& options, const MemoryLimit& limit,
                               std::uint32_t instances = 1);

// Whether a machine of so much memory could ever hold the plan's KV and buffers (weights may be
// mapped). 0: nobody knows, so it could. kInvalidArgument tells the sizes and what bounds them.
Status check_room(const MemoryPlan& plan, std::uint64_t machine_bytes);

}  // namespace quire
