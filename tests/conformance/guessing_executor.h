// GuessingExecutor: an executor whose answers are known beforehand, with drafts added to them: most
// continue the known answer, some are wrong. So the verification of drafts can be tested on
// executors that propose none. Requests of one branch, submitted in order: sequence i + 1 answers
// answers[i]. One thread.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/executor.h"
#include "sched/testing/dice.h"

namespace quire::testing {

class GuessingExecutor : public Executor {
 public:
  GuessingExecutor(std::unique_ptr<Executor> real, std::vector<std::vector<TokenId>> answers)
      : real_(std::move(real)), answers_(std::move(answers)), shown_(answers_.size()) {}

  const Capacity& capacity() const override { return real_->capacity(); }
  Ticket launch(const StepPlan& plan) override {
    for (const StepRow& row : plan.rows) verified_ += row.drafts;
    return real_->launch(plan);
  }
  void sample(Ticket ticket, const SampleSpec& spec) override { real_->sample(ticket, spec); }
  StepResult finish(Ticket ticket) override {
    StepResult result = real_->finish(ticket);
    for (RowResult& row : result.rows) {
      const auto of = static_cast<std::size_t>(row.seq.value - 1);
      shown_[of] += row.accepted.size();
      accepted_ += row.accepted.empty() ? 0 : row.accepted.size() - 1;
      if (!row.accepted.empty()) row.drafts = guesses(answers_[of], shown_[of]);
    }
    return result;
  }

  std::uint64_t verified() const { return verified_; }
  std::uint64_t accepted() const { return accepted_; }

 private:
  std::vector<TokenId> guesses(const std::vector<TokenId>& answer, std::size_t from) {
    std::vector<TokenId> drafts;
    const std::size_t end = std::min<std::size_t>(answer.size(), from + dice_.below(6));
    for (; from < end; ++from) {
      const bool is_wrong = dice_.chance(15);
      drafts.push_back(is_wrong ? (answer[from] + 1) % static_cast<TokenId>(capacity().vocab)
                                : answer[from]);
    }
    return drafts;
  }

  std::unique_ptr<Executor> real_;
  std::vector<std::vector<TokenId>> answers_;
  std::vector<std::size_t> shown_;  // tokens of each answer so far
  Dice dice_{3};
  std::uint64_t verified_ = 0, accepted_ = 0;
};

}  // namespace quire::testing
