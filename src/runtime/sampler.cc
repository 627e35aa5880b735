#include "runtime/sampler.h"

#include <utility>

#include "base/check.h"

namespace quire {
namespace {

// Where a task's biases lie in a flat array: which is whole only when all tasks are made.
std::size_t biases_of(std::span<const SampleRow> rows) {
  std::size_t count = 0;
  for (const SampleRow& row : rows) {
    if (!row.is_discarded) count += row.params->logit_bias.size();
  }
  return count;
}

// Log-probabilities of certain tokens are wanted, instead of those of the likeliest.
bool names_tokens(const SampleRow& row) {
  return row.target < 0 && row.logprobs >= 0 && !row.params->logprob_ids.empty();
}

RowOutcome outcome_of(DrawOutcome outcome) {
  switch (outcome) {
    case DrawOutcome::kOk: return RowOutcome::kOk;
    case DrawOutcome::kNonFinite: return RowOutcome::kNonFinite;
    case DrawOutcome::kNothingAllowed: return RowOutcome::kNothingAllowed;
  }
  QUIRE_CHECK(false, "a draw's outcome {}", static_cast<int>(outcome));
}

Sampler::Outcome take(Drawn drawn, bool is_scored) {
  Sampler::Outcome outcome;
  outcome.outcome = outcome_of(drawn.outcome);
  if (drawn.outcome != DrawOutcome::kOk) return outcome;
  outcome.token = drawn.token;
  outcome.is_scored = is_scored;
  if (!is_scored) return outcome;
  outcome.score.token = drawn.token;
  outcome.score.logprob = drawn.logprob;
  outcome.score.rank = drawn.rank;
  for (const TokenLikelihood& it : drawn.top) outcome.score.top.push_back({it.token, it.logprob});
  return outcome;
}

}  // namespace

DrawTask Sampler::task_of(const SampleRow& row, int index) {
  QUIRE_CHECK(row.params != nullptr, "row {} has no parameters", index);
  const SamplingParams& params = *row.params;
  DrawTask task;
  task.row = index;
  task.target = row.target;
  task.alternatives = names_tokens(row) ? 0 : row.logprobs;
  task.mask = row.mask;
  task.banned = row.banned;
  const std::size_t first_bias = biases_.size();
  for (const LogitBias& it : params.logit_bias) biases_.push_back({it.token, it.bias});
  task.biases = std::span(biases_).subspan(first_bias);
  task.history = row.history;
  task.prompt_count = row.prompt_count;
  task.repetition_penalty = params.repetition_penalty;
  task.presence_penalty = params.presence_penalty;
  task.frequency_penalty = params.frequency_penalty;
  task.temperature = params.temperature;
  task.top_k = params.top_k;
  task.top_p = params.top_p;
  task.min_p = params.min_p;
  task.typical_p = params.typical_p;
  task.seed = params.seed;
  task.position = row.position;
  task.stream = row.stream;
  return task;
}

std::vector<Sampler::Outcome> Sampler::sample(std::span<const SampleRow> rows,
                                              const Buffer& logits) {
  tasks_.clear();
  biases_.clear();
  biases_.reserve(biases_of(rows));  // tasks point into it
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].is_discarded) tasks_.push_back(task_of(rows[i], static_cast<int>(i)));
  }
  const std::size_t drawn_rows = tasks_.size();
  for (std::size_t i = 0; i < rows.size(); ++i) {  // each named token is scored as a prompt's is
    if (rows[i].is_discarded || !names_tokens(rows[i])) continue;
    for (const TokenId token : rows[i].params->logprob_ids) {
      tasks_.push_back({.row = static_cast<int>(i), .target = token, .alternatives = 0});
    }
  }
  std::vector<Outcome> outcomes(rows.size());
  if (tasks_.empty()) return outcomes;
  std::vector<Drawn> drawn = backend_.draw(logits, tasks_);
  QUIRE_CHECK(drawn.size() == tasks_.size(), "{} of {} draws", drawn.size(), tasks_.size());
  for (std::size_t i = 0; i < drawn_rows; ++i) {
    const auto row = static_cast<std::size_t>(tasks_[i].row);
    outcomes[row] = take(std::move(drawn[i]), tasks_[i].alternatives >= 0);
  }
  for (std::size_t i = drawn_rows; i < tasks_.size(); ++i) {
    Outcome& outcome = outcomes[static_cast<std::size_t>(tasks_[i].row)];
    if (!outcome.is_scored) continue;  // nothing was drawn there
    outcome.score.top.push_back({tasks_[i].target, drawn[i].logprob});
  }
  return outcomes;
}

}  // namespace quire
