#include "runtime/model_runner.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/hash.h"
#include "runtime/acceptance.h"

namespace quire {

ModelRunner::ModelRunner(const Capacity& capacity, Backend& backend, std::unique_ptr<Model> model,
                         std::unique_ptr<KvStore> kv)
    : capacity_(capacity),
      backend_(backend),
      model_(std::move(model)),
      kv_(std::move(kv)),
      inputs_(capacity),
      sampler_(backend),
      vocab_(capacity.vocab),
      logits_rows_max_(capacity.logits_rows_max) {
  QUIRE_CHECK(model_ != nullptr && kv_ != nullptr, "a runner without a model or its memory");
  QUIRE_CHECK(vocab_ > 0 && model_->vocab() == static_cast<int>(vocab_),
              "a model of {} words for a capacity of {}", model_->vocab(), vocab_);
}

void ModelRunner::feed(const StepPlan& plan) {
  moves_.clear();
  for (const BlockCopy& copy : plan.copies) {
    QUIRE_CHECK(copy.group < capacity_.groups.size() && copy.src_tier == 0 && copy.dst_tier == 0,
                "a copy in group {} of {}, from tier {} to {}", copy.group, capacity_.groups.size(),
                copy.src_tier, copy.dst_tier);
    moves_.push_back({copy.group, copy.src, copy.dst});
  }
  if (!moves_.empty()) backend_.copy_blocks(*kv_, moves_);
  inputs_.fill(plan, promised_);
}

void ModelRunner::compute() {
  const BatchView& batch = inputs_.view();
  logits_count_ = std::size_t(batch.logits_rows()) * vocab_;
  QUIRE_CHECK(std::uint32_t(batch.logits_rows()) <= logits_rows_max_,
              "{} logits rows are more than the buffer of {} holds", batch.logits_rows(),
              logits_rows_max_);
  if (batch.tokens() > 0 || batch.encoder != nullptr) model_->forward(batch, *kv_);
  if (!batch.pooled_rows.empty()) {
    QUIRE_CHECK(model_->pooled() != nullptr, "a pooled row for a model that cannot pool");
    pooled_ = backend_.host_rows(*model_->pooled());
  }
}

std::span<const float> ModelRunner::logits() const {
  if (logits_count_ == 0) return {};
  return {backend_.host_rows(model_->logits()), logits_count_};
}

StepResult ModelRunner::sample(const StepPlan& plan, const SampleSpec& spec) {
  const Status status = validate(spec, plan, capacity_);
  QUIRE_CHECK(status.is_ok(), "step {}: {}", plan.step, status.message());
  QUIRE_CHECK(spec.rows.size() * vocab_ == logits_count_,
              "step {}: {} rows to sample, {} were computed", plan.step, spec.rows.size(),
              logits_count_ / vocab_);
  auto outcomes = sampler_.sample(spec.rows, model_->logits());
  QUIRE_CHECK(outcomes.size() == spec.rows.size(), "{} outcomes of {} rows", outcomes.size(),
              spec.rows.size());
  promised_.clear();
  for (const Sampler::Outcome& outcome : outcomes) promised_.push_back(std::max(outcome.token, 0));

  StepResult result;
  result.step = plan.step;
  result.rows = accept_rows(plan, spec, outcomes);
  take_pooled(plan, result);
  take_logits(plan, spec, result);
  hash_logits(plan, result);
  return result;
}

void ModelRunner::hash_logits(const StepPlan& plan, StepResult& result) const {
  const auto wants = [](const StepRow& row) { return (row.flags & kRowHashLogits) != 0; };
  if (std::none_of(plan.rows.begin(), plan.rows.end(), wants)) return;
  const float* row_logits = logits().data();
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    const StepRow& row = plan.rows[r];
    for (std::uint32_t i = 0; i < row.want_last; ++i, row_logits += vocab_) {
      if (!wants(row)) continue;
      result.rows[r].logits_hashes.push_back(
          hash_bytes(row_logits, std::size_t{vocab_} * sizeof(float)));
    }
  }
}

// What lies behind the last accepted draw counts for nothing.
void ModelRunner::take_logits(const StepPlan& plan, const SampleSpec& spec,
                              StepResult& result) const {
  const auto wants = [](const SampleRow& row) {
    return !row.is_discarded && row.params->raw_logits;
  };
  if (std::none_of(spec.rows.begin(), spec.rows.end(), wants)) return;
  const float* row_logits = logits().data();
  const SampleRow* sample = spec.rows.data();
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    RowResult& row = result.rows[r];
    std::size_t draws = 0;
    for (std::uint32_t i = 0; i < plan.rows[r].want_last; ++i, ++sample, row_logits += vocab_) {
      if (row.outcome != RowOutcome::kOk || !wants(*sample)) continue;
      if (sample->target < 0 && ++draws > row.accepted.size()) continue;
      row.logits.insert(row.logits.end(), row_logits, row_logits + vocab_);
    }
  }
}

void ModelRunner::take_pooled(const StepPlan& plan, StepResult& result) const {
  const float* vector = pooled_;
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    if ((plan.rows[r].flags & kRowPool) == 0) continue;
    RowResult& row = result.rows[r];
    row.pooled.assign(vector, vector + model_->pooled()->columns);
    vector += model_->pooled()->columns;
    const auto is_finite = [](float value) { return std::isfinite(value); };
    if (std::all_of(row.pooled.begin(), row.pooled.end(), is_finite)) continue;
    row.pooled.clear();
    row.outcome = RowOutcome::kNonFinite;
  }
}

}  // namespace quire
