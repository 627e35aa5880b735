#include "lab/bench/bench_model.h"

#include <algorithm>

#include "model/registry.h"
#include "runtime/capacity.h"

namespace quire {
namespace {

// The same tensors under their canonical names, by which ops are told apart.
TensorFinder with_canonical_names(const TensorFinder& find) {
  return [find](std::string_view name) -> Result<TensorView> {
    QUIRE_ASSIGN_OR_RETURN(TensorView view, find(name));
    view.name = name;
    return view;
  };
}

}  // namespace

Result<std::unique_ptr<BenchModel>> BenchModel::open(const Design& design,
                                                     const TensorFinder& find,
                                                     const BenchModelOptions& options) {
  if (design.facts.kind != ModelKind::kDecoder) {
    return error(StatusCode::kUnsupported,
                 "'{}' has an encoder; what is measured are prompts and decodes of decoders",
                 design.facts.architecture);
  }
  CpuBackendOptions backend_options;
  backend_options.threads = options.threads;
  backend_options.isa = options.isa;
  backend_options.has_huge_pages = options.has_huge_pages;
  QUIRE_ASSIGN_OR_RETURN(auto backend, make_cpu_backend(backend_options));

  CapacityRequest request;
  request.rows_max = static_cast<std::uint32_t>(options.sequences);
  request.tokens_max = static_cast<std::uint32_t>(std::max(options.step_tokens, options.sequences));
  request.context_max = static_cast<std::uint32_t>(options.context);
  ModelOptions model_options;
  model_options.tokens_max = static_cast<int>(request.tokens_max);
  model_options.context_max = options.context;
  model_options.weights = options.weights;
  model_options.logits_rows_max = static_cast<int>(choose_logits_rows(request, design.facts.vocab));
  QUIRE_ASSIGN_OR_RETURN(auto model, make_model(design, with_canonical_names(find), *backend,
                                                model_options));

  std::unique_ptr<BenchModel> bench(new BenchModel);
  bench->options_ = options;
  bench->find_ = find;
  if (options.is_timing_ops) {
    bench->op_times_ = std::make_unique<OpTimes>();
    backend->set_watch(bench->op_times_.get());
  }
  bench->vocab_ = design.facts.vocab;
  bench->packed_bytes_ = model->weight_bytes();
  bench->blocks_per_sequence_ = (options.context + kBlockTokens - 1) / kBlockTokens;
  QUIRE_ASSIGN_OR_RETURN(bench->cost_,
                         count_model_cost(design, find, options.kv_dtype, options.weights));
  std::vector<KvGroupShape> groups = group_shapes(design.facts, options.kv_dtype);
  for (KvGroupShape& group : groups) {
    bench->group_blocks_.push_back(group.is_state() ? 1 : bench->blocks_per_sequence_);
    group.blocks = 1 + options.sequences * bench->group_blocks_.back();  // block 0 is padding
  }
  QUIRE_ASSIGN_OR_RETURN(auto kv, backend->kv_store(groups));
  Capacity capacity = make_capacity(groups, request, design.facts.vocab);
  bench->executor_ = std::make_unique<LocalExecutor>(std::move(backend), std::move(model),
                                                     std::move(kv), std::move(capacity));
  return bench;
}

StepPlan BenchModel::plan_of(std::span<const Feed> feeds, bool is_hashing) {
  StepPlan plan;
  plan.step = next_step_++;
  plan.groups = static_cast<std::uint32_t>(group_blocks_.size());
  plan.copies = std::move(copies_);
  copies_.clear();
  for (const Feed& feed : feeds) {
    const auto end = feed.first_position + static_cast<std::uint32_t>(feed.tokens.size());
    QUIRE_CHECK(feed.sequence < options_.sequences && end <= std::uint32_t(options_.context),
                "sequence {} is fed up to position {}; there are {} of {}", feed.sequence, end,
                options_.sequences, options_.context);
    StepRow row;
    row.seq = SeqId{static_cast<std::uint64_t>(feed.sequence) + 1};
    row.tokens = {static_cast<std::uint32_t>(plan.tokens.size()),
                  static_cast<std::uint32_t>(feed.tokens.size())};
    row.first_position = feed.first_position;
    row.want_last = feed.is_wanting_logits ? 1 : 0;
    row.flags = is_hashing ? kRowHashLogits : 0;
    plan.rows.push_back(row);
    plan.tokens.insert(plan.tokens.end(), feed.tokens.begin(), feed.tokens.end());
    for (std::size_t g = 0; g < group_blocks_.size(); ++g) {
      const std::uint32_t wanted = (end + kBlockTokens - 1) / kBlockTokens;
      const std::uint32_t blocks = std::min(wanted, static_cast<std::uint32_t>(group_blocks_[g]));
      plan.tables.push_back({static_cast<std::uint32_t>(plan.blocks.size()), blocks});
      for (std::uint32_t i = 0; i < blocks; ++i) {
        plan.blocks.push_back(block_of(g, feed.sequence, static_cast<int>(i)));
      }
    }
  }
  return plan;
}

Result<std::vector<std::uint64_t>> BenchModel::step(std::span<const Feed> feeds, bool is_hashing) {
  static const SamplingParams greedy = [] {
    SamplingParams params;
    params.temperature = 0;
    return params;
  }();
  const StepPlan plan = plan_of(feeds, is_hashing);
  SampleSpec spec;
  const std::vector<TokenId> history(static_cast<std::size_t>(options_.context));  // nobody asks
  for (const StepRow& fed : plan.rows) {
    if (fed.want_last == 0) continue;
    SampleRow row;
    row.position = fed.first_position + fed.tokens.count;
    row.params = &greedy;
    row.history = std::span(history).first(row.position);
    spec.rows.push_back(row);
  }
  const Ticket ticket = executor_->launch(plan);
  executor_->sample(ticket, spec);
  const StepResult result = executor_->finish(ticket);
  std::vector<std::uint64_t> hashes;
  for (const RowResult& row : result.rows) {
    if (row.outcome != RowOutcome::kOk) {
      return error(StatusCode::kCorrupt, "the model's logits are not finite (sequence {})",
                   row.seq.value - 1);
    }
    hashes.insert(hashes.end(), row.logits_hashes.begin(), row.logits_hashes.end());
  }
  return hashes;
}

void BenchModel::copy_sequence(int from, int to, int tokens) {
  for (std::size_t g = 0; g < group_blocks_.size(); ++g) {
    const int blocks = std::min(group_blocks_[g], (tokens + kBlockTokens - 1) / kBlockTokens);
    for (int i = 0; i < blocks; ++i) {
      BlockCopy copy;
      copy.group = static_cast<std::uint16_t>(g);
      copy.src = block_of(g, from, i);
      copy.dst = block_of(g, to, i);
      copies_.push_back(copy);
    }
  }
}

}  // namespace quire
