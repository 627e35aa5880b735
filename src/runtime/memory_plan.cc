#include "runtime/memory_plan.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/check.h"

namespace quire {
namespace {

constexpr std::uint32_t kTokensMeasured = 1024;  // the most of a step whose tokens nobody names

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

// A layer's name without its number.
std::string kind_of(const std::string& name) {
  std::string kind;
  for (const char c : name) {
    if (c < '0' || c > '9') kind += c;
  }
  return kind;
}

// About: floats that a token takes in the buffers of a step, which the layers share: what each kind
// of product makes of it, and the residual stream with what is made of that.
std::uint64_t columns_of_token(const ModelFiles& files) {
  constexpr std::uint64_t kStreams = 4;
  const ModelFacts& facts = files.facts();
  std::map<std::string, std::uint64_t> widest;
  for (const TensorRule& rule : files.design().tensors.rules) {
    const bool is_layered = rule.role == Role::kMatrix || rule.role == Role::kHeads ||
                            rule.role == Role::kExperts;
    if (!is_layered || rule.shape.size() < 2) continue;
    std::uint64_t rows = rule.shape[rule.shape.size() - 2];
    if (rule.role == Role::kHeads) rows *= rule.shape[0];
    if (rule.role == Role::kExperts) {
      rows *= static_cast<unsigned>(std::max(facts.experts_active, 1));
    }
    std::uint64_t& most = widest[kind_of(rule.canonical)];
    most = std::max(most, rows);
  }
  std::uint64_t sum = kStreams * static_cast<unsigned>(std::max(facts.width, 0));
  for (const auto& [_, rows] : widest) sum += rows;
  return sum;
}

// As make_executor has them; where a step's tokens are measured, at most as many.
void add_step(const ModelFiles& files, CapacityRequest request, std::uint32_t instances,
              MemoryPlan& plan) {
  const ModelFacts& facts = files.facts();
  if (request.tokens_max == 0) request.tokens_max = std::max(kTokensMeasured, request.rows_max);
  if (facts.kind != ModelKind::kDecoder) {
    request.tokens_max = std::max(request.tokens_max, request.context_max);
  }
  const auto vocab = static_cast<unsigned>(std::max(facts.vocab, 1));
  const std::uint64_t wanted = choose_logits_rows(request, static_cast<int>(vocab));
  const std::uint64_t floats =
      wanted * (vocab + static_cast<unsigned>(std::max(facts.width, 0))) +
      request.tokens_max * columns_of_token(files);
  plan.rows_max = request.rows_max;
  plan.tokens_max = request.tokens_max;
  plan.step_bytes = floats * sizeof(float) * instances;
}

}  // namespace

Status check_room(const MemoryPlan& plan, std::uint64_t machine_bytes) {
  if (machine_bytes == 0 || plan.kv_bytes + plan.step_bytes <= machine_bytes) return ok_status();
  constexpr double kMebibyte = 1024.0 * 1024.0;
  const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / kMebibyte; };
  return error(StatusCode::kInvalidArgument,
               "it does not fit: {:.0f} MiB for KV (kv_cache_memory, num_kv_blocks) and {:.0f} MiB "
               "for steps of {} sequences and {} tokens (max_num_seqs, max_num_batched_tokens) are "
               "more than the machine's {:.0f} MiB",
               mib(plan.kv_bytes), mib(plan.step_bytes), plan.rows_max, plan.tokens_max,
               mib(machine_bytes));
}

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
  add_step(files, request, instances, plan);
  return plan;
}

}  // namespace quire
