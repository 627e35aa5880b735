#include "runtime/model_runner.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"

namespace quire {

ModelRunner::ModelRunner(const Capacity& capacity, Backend& backend, std::unique_ptr<Model> model,
                         std::unique_ptr<KvStore> kv)
    : backend_(backend),
      model_(std::move(model)),
      kv_(std::move(kv)),
      inputs_(capacity),
      sampler_(backend),
      vocab_(capacity.vocab),
      logits_(std::size_t{capacity.logits_rows_max} * capacity.vocab) {}

void ModelRunner::feed(const StepPlan& plan) {
  moves_.clear();
  for (const BlockCopy& copy : plan.copies) moves_.push_back({copy.src, copy.dst});
  if (!moves_.empty()) backend_.copy_blocks(*kv_, moves_);
  inputs_.fill(plan, promised_);
}

void ModelRunner::compute() {
  const BatchView& batch = inputs_.view();
  logits_count_ = std::size_t(batch.logits_rows()) * vocab_;
  QUIRE_CHECK(logits_count_ <= logits_.count(), "{} logits rows are more than the buffer holds",
              batch.logits_rows());
  if (batch.tokens() > 0) model_->forward(batch, *kv_, logits_.data());
}

StepResult ModelRunner::sample(const StepPlan& plan, const SampleSpec& spec) {
  StepResult result;
  result.step = plan.step;
  result.rows.resize(plan.rows.size());
  promised_.clear();

  // The spec lists every wanted row in order, so row i of it is row i of the logits.
  QUIRE_CHECK(spec.rows.size() * vocab_ == logits_count_,
              "the spec samples {} rows, the plan wanted {}", spec.rows.size(),
              logits_count_ / vocab_);
  auto outcomes = sampler_.sample(spec.rows, logits_.data(), static_cast<int>(vocab_));

  std::vector<bool> is_open(plan.rows.size(), true);  // no draft of the row was rejected yet
  for (std::size_t i = 0; i < plan.rows.size(); ++i) result.rows[i].seq = plan.rows[i].seq;
  for (std::size_t i = 0; i < spec.rows.size(); ++i) {
    const SampleRow& row = spec.rows[i];
    RowResult& out = result.rows[row.row];
    Sampler::Outcome& outcome = outcomes[i];
    if (plan.rows[row.row].flags & kRowHashLogits) {
      out.logits_hashes.push_back(
          hash_bytes(logits_.data() + i * vocab_, std::size_t{vocab_} * sizeof(float)));
    }
    if (!outcome.is_finite) out.outcome = RowOutcome::kNonFinite;
    promised_.push_back(std::max(outcome.token, 0));
    if (out.outcome != RowOutcome::kOk) continue;
    if (row.target < 0) {
      // A verify row: the token drawn at one index must equal the draft that was fed at the next.
      const StepRow& fed = plan.rows[row.row];
      const std::uint32_t first_wanted = fed.tokens.begin + fed.tokens.count - fed.want_last;
      const TokenId draft = plan.tokens[first_wanted + row.index];
      if (!out.accepted.empty() && draft != out.accepted.back()) is_open[row.row] = false;
      if (!is_open[row.row]) continue;
      out.accepted.push_back(outcome.token);
    }
    if (outcome.is_scored) out.scores.push_back(std::move(outcome.score));
  }
  for (RowResult& row : result.rows) {
    if (row.outcome != RowOutcome::kOk) row.accepted.clear();
  }
  return result;
}

}  // namespace quire
