#include "runtime/memory_plan.h"

#include <algorithm>

#include "base/check.h"

namespace quire {
namespace {

Result<std::uint64_t> adopted_bytes(const ModelFiles& files, Backend& backend,
                                    const TensorRule& rule, WeightScheme scheme) {
  const auto find = [&files](std::string_view name) { return files.find(name); };
  QUIRE_ASSIGN_OR_RETURN(const WeightView view, weight_view(find, rule));
  QUIRE_ASSIGN_OR_RETURN(const Weight weight, backend.adopt(view, scheme));
  return std::uint64_t{weight.bytes};
}

// Of copied tables: rows of embeddings are gathered from their mapped file, which counts for
// nothing, or from a copy.
std::uint64_t table_bytes(const ModelFiles& files) {
  std::uint64_t sum = 0;
  for (const TensorRule& rule : files.design().tensors.rules) {
    const auto tensor = files.tensors().find(rule.canonical);
    if (tensor == files.tensors().end()) continue;  // optional
    if (rule.role == Role::kTable) sum += tensor->second.bytes();
  }
  return sum;
}

// Of what will be packed.
Result<std::uint64_t> packed_bytes(const ModelFiles& files, Backend& backend,
                                   WeightScheme scheme) {
  std::uint64_t sum = 0;
  for (const TensorRule& rule : files.design().tensors.rules) {
    const auto tensor = files.tensors().find(rule.canonical);
    if (tensor == files.tensors().end()) continue;  // optional
    if (rule.is_vector()) {
      sum += rule.elements() * sizeof(float);
      continue;
    }
    const bool is_table = rule.role == Role::kTable;
    if (is_table && !files.facts().has_tied_head) continue;
    QUIRE_ASSIGN_OR_RETURN(const std::uint64_t bytes,
                           adopted_bytes(files, backend, rule, scheme_of(rule.role, scheme)));
    sum += bytes;
  }
  return sum;
}

}  // namespace

Result<MemoryPlan> plan_memory(const ModelFiles& files, Backend& backend,
                               const LocalOptions& options, const MemoryLimit& limit,
                               std::uint32_t instances) {
  const ModelFacts& facts = files.facts();
  QUIRE_CHECK(limit.models >= 1, "{} bytes for no model", limit.bytes);
  QUIRE_CHECK(instances >= 1, "memory for no instance");
  CapacityRequest request = options.capacity;
  QUIRE_RETURN_IF_ERROR(check_kv_types(facts, options.kv_dtype));
  QUIRE_ASSIGN_OR_RETURN(request.context_max, find_context(facts, request));
  const std::vector<KvGroupShape> groups = group_shapes(facts, options.kv_dtype, request);
  MemoryPlan plan;
  QUIRE_ASSIGN_OR_RETURN(plan.weight_bytes, packed_bytes(files, backend, options.weights));
  plan.weight_bytes *= instances;
  plan.weight_bytes += files.adapter_bytes();
  if (limit.models > 1) plan.weight_bytes += table_bytes(files);
  const bool is_free = request.blocks == 0 && request.kv_bytes == 0;
  if (is_free && limit.bytes > 0) {
    const std::uint64_t share = limit.bytes / limit.models;
    const std::uint64_t of_all =
        share > plan.weight_bytes           ? share - plan.weight_bytes
        : limit.bytes > plan.weight_bytes   ? (limit.bytes - plan.weight_bytes) / 2
                                            : 0;
    const std::uint64_t left = of_all / instances;
    QUIRE_ASSIGN_OR_RETURN(const auto wished, choose_kv_blocks(groups, request));
    const std::vector<std::uint32_t> none(groups.size(), 0);
    const std::uint64_t padding = kv_bytes(groups, none);
    const std::uint64_t whole = kv_bytes(groups, wished) - padding;
    const std::uint64_t least = sequence_kv_bytes(groups, request);
    request.kv_bytes = std::min(whole, std::max(left > padding ? left - padding : 0, least));
  } else if (is_free && instances > 1) {  // together what one would take, if each has a context
    QUIRE_ASSIGN_OR_RETURN(const auto wished, choose_kv_blocks(groups, request));
    const std::uint64_t whole = kv_bytes(groups, wished);
    request.kv_bytes =
        std::max(whole / instances, std::min(whole, sequence_kv_bytes(groups, request)));
  }
  QUIRE_ASSIGN_OR_RETURN(const auto blocks, choose_kv_blocks(groups, request));
  QUIRE_CHECK(blocks.size() == groups.size() && blocks[0] > 0, "{} blocks of {} groups",
              blocks.size(), groups.size());
  plan.kv_blocks = blocks[0];
  plan.kv_bytes = kv_bytes(groups, blocks) * instances;
  return plan;
}

}  // namespace quire
