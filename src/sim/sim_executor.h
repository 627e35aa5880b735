// SimExecutor: an executor in virtual time. It computes nothing: a step takes what the cost model
// says, steps follow each other on one device, and tokens are noise. The simulator tells it the
// time before each turn and asks afterwards when the device was done. One thread.
#pragma once

#include <deque>
#include <span>

#include "core/executor.h"
#include "sim/cost_model.h"

namespace quire {

class SimExecutor : public Executor {
 public:
  SimExecutor(const Capacity& capacity, const CostModel& cost) : capacity_(capacity), cost_(cost) {}

  const Capacity& capacity() const override { return capacity_; }
  Ticket launch(const StepPlan& plan) override;
  void sample(Ticket ticket, const SampleSpec& spec) override;
  StepResult finish(Ticket ticket) override;

  void set_now(Nanos now) { now_ = now; }
  Nanos finished_at() const { return finished_at_; }        // of the step finished last
  std::uint64_t plans_hash() const { return plans_hash_; }  // of all plans, in order

 private:
  void answer(const StepPlan& plan, const StepRow& row, std::span<const SampleRow> samples,
              RowResult& result) const;
  TokenId draw(const SampleRow& sample) const;

  struct Flight {
    StepPlan plan;
    StepResult result;
    bool is_sampled = false;
    Nanos ends_at{0};
  };

  Capacity capacity_;
  CostModel cost_;
  std::deque<Flight> flights_;
  Nanos now_{0};
  Nanos busy_until_{0};
  Nanos finished_at_{0};
  std::uint64_t plans_hash_ = 0;
};

}  // namespace quire
