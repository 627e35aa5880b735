#include "runtime/make_executor.h"

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "model/registry.h"
#include "runtime/step_inputs.h"

namespace quire {
namespace {

constexpr int kTokensMaxMeasured = 1024;  // a larger step would not be faster per token
constexpr int kTokensMin = 64;
constexpr int kTrialTokens = 32;  // enough that arithmetic is the limit, as in a large step
constexpr int kTrials = 2;        // the first one finds cold caches and new pages

// What a step must be able to hold because it is never cut: a text that is pooled, an encoder's
// input.
std::uint32_t whole_tokens(const ModelFacts& facts, const CapacityRequest& request) {
  return facts.kind == ModelKind::kDecoder ? 0 : request.context_max;
}

void add_kind(const ModelFacts& facts, Capacity& capacity) {
  capacity.is_causal = facts.kind != ModelKind::kEncoder;
  capacity.lanes = facts.kind == ModelKind::kEncoderDecoder ? 2 : 1;
  capacity.pooled_max = facts.can_pool ? capacity.rows_max : 0;
  capacity.segments = static_cast<std::uint32_t>(facts.segments);
}

// Times a forward pass over one prompt chunk; the first pass warms caches and pages.
Nanos time_trial(Model& model, Backend& backend, std::vector<KvGroupShape> groups, int tokens) {
  const std::uint32_t block_count =
      static_cast<std::uint32_t>((tokens + kBlockTokens - 1) / kBlockTokens);
  Capacity capacity;
  StepPlan plan;
  plan.groups = static_cast<std::uint32_t>(groups.size());
  for (KvGroupShape& group : groups) {
    const std::uint32_t blocks = group.is_state() ? 1 : block_count;
    group.blocks = static_cast<int>(blocks) + 1;
    plan.tables.push_back({static_cast<std::uint32_t>(plan.blocks.size()), blocks});
    for (std::uint32_t i = 1; i <= blocks; ++i) plan.blocks.push_back(static_cast<BlockId>(i));
  }
  auto kv = backend.kv_store(groups);
  if (!kv.is_ok()) return Nanos(0);
  CapacityRequest request;
  request.tokens_max = static_cast<std::uint32_t>(tokens);
  capacity = make_capacity(groups, request, model.vocab());
  for (int i = 0; i < tokens; ++i) plan.tokens.push_back(i % model.vocab());
  StepRow& row = plan.rows.emplace_back();
  row.tokens = {0, static_cast<std::uint32_t>(tokens)};
  row.encoder_tokens = row.tokens.count;
  StepInputs inputs(capacity);
  inputs.fill(plan, {});
  Nanos best = Nanos::max();
  for (int trial = 0; trial < kTrials; ++trial) {
    const Turns::Turn turn = backend.turns().take();
    const Nanos start = SteadyClock::now();
    model.forward(inputs.view(), **kv);
    best = std::min(best, SteadyClock::now() - start);
  }
  return best;
}

std::uint32_t measured_budget(Model& model, Backend& backend,
                              const std::vector<KvGroupShape>& groups) {
  const Nanos trial = time_trial(model, backend, groups, kTrialTokens);
  if (trial.count() <= 0) return kTokensMin;
  const auto fitting = static_cast<int>(kTrialTokens * kStepTarget.count() / trial.count());
  return static_cast<std::uint32_t>(
      std::clamp(fitting / kBlockTokens * kBlockTokens, kTokensMin, kTokensMaxMeasured));
}

}  // namespace

Result<std::unique_ptr<LocalExecutor>> make_executor(std::unique_ptr<Backend> backend,
                                                     const Design& design,
                                                     const TensorFinder& find,
                                                     const LocalOptions& options) {
  CapacityRequest request = options.capacity;
  QUIRE_RETURN_IF_ERROR(check_kv_types(design.facts, options.kv_dtype));
  QUIRE_ASSIGN_OR_RETURN(request.context_max, find_context(design.facts, request));
  const bool is_measured = request.tokens_max == 0;
  if (is_measured) {
    request.tokens_max = std::max({std::uint32_t{kTokensMaxMeasured}, request.rows_max,
                                   whole_tokens(design.facts, request)});
  }

  ModelOptions model_options;
  model_options.tokens_max = static_cast<int>(request.tokens_max);
  model_options.logits_rows_max = static_cast<int>(choose_logits_rows(request, design.facts.vocab));
  // Angles of later positions are made when a text reaches them.
  model_options.context_max =
      std::min(static_cast<int>(request.context_max), design.facts.context_max);
  model_options.weights = options.weights;
  model_options.pooled_rows_max = static_cast<int>(request.rows_max);
  model_options.pool = options.pool;
  QUIRE_ASSIGN_OR_RETURN(
      auto model, make_model(design, find, *backend, model_options, options.progress));
  const auto health = [backend = backend.get(), of_source = options.source_health] {
    const Status status = backend->health();
    return status.is_ok() && of_source ? of_source() : status;
  };
  QUIRE_RETURN_IF_ERROR(health());  // before anything is kept of it
  backend->finish_packing();

  std::vector<KvGroupShape> groups = group_shapes(design.facts, options.kv_dtype, request);
  if (is_measured) {
    request.tokens_max = std::max({measured_budget(*model, *backend, groups), request.rows_max,
                                   whole_tokens(design.facts, request)});
  }
  QUIRE_ASSIGN_OR_RETURN(const std::vector<std::uint32_t> blocks,
                         choose_kv_blocks(groups, request));
  for (std::size_t g = 0; g < groups.size(); ++g) {
    groups[g].blocks = static_cast<int>(blocks[g]) + 1;  // block 0 is padding
  }
  QUIRE_ASSIGN_OR_RETURN(auto kv, backend->kv_store(groups));
  Capacity capacity = make_capacity(groups, request, design.facts.vocab);
  capacity.logits_rows_max = static_cast<std::uint32_t>(model_options.logits_rows_max);
  add_kind(design.facts, capacity);
  return std::make_unique<LocalExecutor>(std::move(backend), std::move(model), std::move(kv),
                                         std::move(capacity), health);
}

}  // namespace quire
