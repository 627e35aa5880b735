#include "runtime/memory_plan.h"

#include <algorithm>

namespace quire {
namespace {

// Of what will be packed. The embedding's rows are gathered from their mapped file, which counts
// for nothing, or from a copy.
Result<std::uint64_t> packed_bytes(const ModelFiles& files, Backend& backend, WeightScheme scheme,
                                   bool has_copy) {
  std::uint64_t sum = 0;
  for (const TensorRule& rule : files.design().tensors.rules) {
    const auto tensor = files.find(rule.canonical);
    if (!tensor.is_ok()) continue;  // optional
    if (rule.is_vector()) {
      sum += rule.elements() * sizeof(float);
      continue;
    }
    const bool is_table = rule.role == Role::kTable;
    if (is_table && has_copy) sum += tensor->bytes();
    if (is_table && !files.facts().has_tied_head) continue;
    QUIRE_ASSIGN_OR_RETURN(const Weight weight,
                           backend.adopt(*tensor, scheme_of(rule.role, scheme)));
    sum += weight.bytes;
  }
  return sum;
}

}  // namespace

Result<MemoryPlan> plan_memory(const ModelFiles& files, Backend& backend,
                               const LocalOptions& options, const MemoryLimit& limit) {
  const ModelFacts& facts = files.facts();
  const GroupFacts& group = facts.groups[0];
  const KvShape shape = {static_cast<int>(group.layers.size()), group.kv_heads, group.k_width, 0,
                         options.kv_dtype};
  CapacityRequest request = options.capacity;
  const auto context_max = static_cast<std::uint32_t>(facts.context_max);
  if (request.context_max == 0) request.context_max = context_max;
  MemoryPlan plan;
  QUIRE_ASSIGN_OR_RETURN(plan.weight_bytes, packed_bytes(files, backend, options.weights,
                                                         limit.models > 1));
  QUIRE_ASSIGN_OR_RETURN(std::uint32_t blocks, choose_kv_blocks(shape, request));
  const std::uint64_t block_bytes = kv_block_bytes(shape);
  const bool is_wished = request.blocks > 0 || request.kv_bytes > 0;
  if (limit.bytes > 0 && !is_wished) {
    const std::uint64_t share = limit.bytes / limit.models;
    const std::uint64_t left =
        share > plan.weight_bytes           ? share - plan.weight_bytes
        : limit.bytes > plan.weight_bytes   ? (limit.bytes - plan.weight_bytes) / 2
                                            : 0;
    const std::uint64_t padding = 1;  // block 0
    const std::uint64_t fitting = left / block_bytes > padding ? left / block_bytes - padding : 0;
    const std::uint64_t one_context = (request.context_max + kBlockTokens - 1) / kBlockTokens;
    blocks = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(blocks, std::max(fitting, one_context)));
  }
  plan.kv_blocks = blocks;
  plan.kv_bytes = (std::uint64_t{blocks} + 1) * block_bytes;
  return plan;
}

}  // namespace quire
