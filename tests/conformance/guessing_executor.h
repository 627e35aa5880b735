// GuessingExecutor: an executor whose answers are known beforehand, with drafts added to them: they
// continue the known answer, most with a wrong token planted among them, at every place in turn. So
// the verification of drafts can be tested on executors that propose none. Requests of one branch,
// submitted in order: sequence i + 1 answers answers[i]. One thread. Used by conformance and golden
// tests.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "core/executor.h"
#include "sched/testing/dice.h"

namespace quire::testing {

class GuessingExecutor : public Executor {
 public:
  // Rows that verified so many drafts (first) and accepted so many of them (second).
  using Outcomes = std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t>;

  GuessingExecutor(std::unique_ptr<Executor> real, std::vector<std::vector<TokenId>> answers)
      : real_(std::move(real)), answers_(std::move(answers)), shown_(answers_.size()) {}

  const Capacity& capacity() const override { return real_->capacity(); }
  Ticket launch(const StepPlan& plan) override {
    std::vector<std::uint32_t>& drafts = launched_.emplace_back();
    for (const StepRow& row : plan.rows) drafts.push_back(row.drafts);
    return real_->launch(plan);
  }
  void sample(Ticket ticket, const SampleSpec& spec) override { real_->sample(ticket, spec); }
  StepResult finish(Ticket ticket) override {
    StepResult result = real_->finish(ticket);
    const std::vector<std::uint32_t> drafts = std::move(launched_.front());
    launched_.pop_front();
    for (std::size_t r = 0; r < drafts.size(); ++r) {
      RowResult& row = result.rows.at(r);
      if (row.accepted.empty()) continue;
      const auto accepted = static_cast<std::uint32_t>(row.accepted.size()) - 1;
      if (drafts[r] > 0) ++outcomes_[{drafts[r], accepted}];
      const auto of = static_cast<std::size_t>(row.seq.value - 1);
      QUIRE_CHECK(of < answers_.size(), "sequence {} of {} answers", of + 1, answers_.size());
      shown_[of] += row.accepted.size();
      row.drafts = guesses(answers_[of], shown_[of]);
    }
    return result;
  }

  const Outcomes& outcomes() const { return outcomes_; }
  std::uint64_t verified() const {
    std::uint64_t sum = 0;
    for (const auto& [of, rows] : outcomes_) sum += of.first * rows;
    return sum;
  }
  std::uint64_t accepted() const {
    std::uint64_t sum = 0;
    for (const auto& [of, rows] : outcomes_) sum += of.second * rows;
    return sum;
  }

 private:
  // 0 to drafts_max of them; one is wrong, or none.
  std::vector<TokenId> guesses(const std::vector<TokenId>& answer, std::size_t from) {
    const std::uint32_t count = dice_.between(0, capacity().drafts_max);
    const std::size_t wrong = from + dice_.between(0, count);
    const std::size_t end = std::min<std::size_t>(answer.size(), from + count);
    std::vector<TokenId> drafts;
    for (; from < end; ++from) {
      drafts.push_back(from == wrong ? (answer[from] + 1) % static_cast<TokenId>(capacity().vocab)
                                     : answer[from]);
    }
    return drafts;
  }

  std::unique_ptr<Executor> real_;
  std::vector<std::vector<TokenId>> answers_;
  std::vector<std::size_t> shown_;  // tokens of each answer so far
  std::deque<std::vector<std::uint32_t>> launched_;  // drafts of the rows of each plan in flight
  Dice dice_{3};
  Outcomes outcomes_;
};

}  // namespace quire::testing
