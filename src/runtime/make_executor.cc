#include "runtime/make_executor.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/clock.h"
#include "model/registry.h"

namespace quire {
namespace {

constexpr int kTokensMaxMeasured = 1024;  // a larger step would not be faster per token
constexpr int kTokensMin = 64;
constexpr int kTrialTokens = 32;  // enough that arithmetic is the limit, as in a large step
constexpr int kTrials = 2;        // the first one finds cold caches and new pages

// Times a forward pass over one prompt chunk; the first pass warms caches and pages.
Nanos time_trial(Model& model, Backend& backend, const KvShape& shape, int tokens) {
  KvShape trial_shape = shape;
  trial_shape.blocks = 1 + (tokens + kBlockTokens - 1) / kBlockTokens;
  auto kv = backend.kv_store(trial_shape);
  if (!kv.is_ok()) return Nanos(0);
  std::vector<std::int32_t> ids(tokens), positions(tokens), slots(tokens);
  std::vector<std::int32_t> blocks(trial_shape.blocks - 1);
  std::iota(blocks.begin(), blocks.end(), 1);
  std::iota(positions.begin(), positions.end(), 0);
  std::iota(slots.begin(), slots.end(), kBlockTokens);
  for (int i = 0; i < tokens; ++i) ids[i] = i % model.vocab();
  const std::vector<std::int32_t> row_begin = {0, tokens}, kv_length = {tokens};
  const std::vector<std::int32_t> table_begin = {0, static_cast<std::int32_t>(blocks.size())};
  const BatchView batch = {ids, positions, slots, row_begin, kv_length, table_begin, blocks, {}};
  Nanos best = Nanos::max();
  for (int trial = 0; trial < kTrials; ++trial) {
    const Turns::Turn turn = backend.turns().take();
    const Nanos start = SteadyClock::now();
    model.forward(batch, **kv, nullptr);
    best = std::min(best, SteadyClock::now() - start);
  }
  return best;
}

std::uint32_t measured_budget(Model& model, Backend& backend, const KvShape& shape) {
  const Nanos trial = time_trial(model, backend, shape, kTrialTokens);
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
  const auto context_max = static_cast<std::uint32_t>(design.facts.context_max);
  if (request.context_max == 0) request.context_max = context_max;
  if (request.context_max > context_max) {
    return error(StatusCode::kInvalidArgument, "the model has a context of {} positions, not {}",
                 design.facts.context_max, request.context_max);
  }
  const bool is_measured = request.tokens_max == 0;
  if (is_measured) {
    request.tokens_max = std::max<std::uint32_t>(kTokensMaxMeasured, request.rows_max);
  }

  ModelOptions model_options;
  model_options.tokens_max = static_cast<int>(request.tokens_max);
  model_options.logits_rows_max = static_cast<int>(choose_logits_rows(request, design.facts.vocab));
  model_options.context_max = static_cast<int>(request.context_max);
  model_options.weights = options.weights;
  QUIRE_ASSIGN_OR_RETURN(
      auto model, make_model(design, find, *backend, model_options, options.progress));
  const auto health = [backend = backend.get(), of_source = options.source_health] {
    const Status status = backend->health();
    return status.is_ok() && of_source ? of_source() : status;
  };
  QUIRE_RETURN_IF_ERROR(health());  // before anything is kept of it
  backend->finish_packing();

  KvShape shape = model->kv_shape();
  shape.dtype = options.kv_dtype;
  if (is_measured) {
    request.tokens_max = std::max(measured_budget(*model, *backend, shape), request.rows_max);
  }
  QUIRE_ASSIGN_OR_RETURN(const std::uint32_t blocks, choose_kv_blocks(shape, request));
  shape.blocks = static_cast<int>(blocks) + 1;  // block 0 is padding
  QUIRE_ASSIGN_OR_RETURN(auto kv, backend->kv_store(shape));
  Capacity capacity = make_capacity(shape, request, design.facts.vocab);
  capacity.logits_rows_max = static_cast<std::uint32_t>(model_options.logits_rows_max);
  return std::make_unique<LocalExecutor>(std::move(backend), std::move(model), std::move(kv),
                                         std::move(capacity), health);
}

}  // namespace quire
