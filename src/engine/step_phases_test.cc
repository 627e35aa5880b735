#include "engine/step_phases.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

Nanos g_now{0};
Nanos virtual_now() { return g_now; }
void pass(std::int64_t nanos) { g_now += Nanos(nanos); }

// Every call takes its time; of launch's 1000 80 are spent waiting and 300 on the arrays.
class SlowExecutor final : public Executor {
 public:
  const Capacity& capacity() const override { return capacity_; }
  Ticket launch(const StepPlan& plan) override {
    pass(1000);
    return {plan.step};
  }
  void sample(Ticket, const SampleSpec&) override { pass(200); }
  StepResult finish(Ticket ticket) override {
    pass(10);
    return {.step = ticket.step, .waited = Nanos(80), .inputs = Nanos(300)};
  }

 private:
  Capacity capacity_;
};

TEST(StepPhasesTest, TimeGoesToThePhaseThatEnds) {
  PhaseTimer timer(&virtual_now);
  TimedExecutor executor(std::make_unique<SlowExecutor>(), timer);
  pass(5000);
  timer.end(StepPhase::kIdle);
  pass(7);
  timer.end(StepPhase::kInbox);
  pass(40);
  const Ticket ticket = executor.launch({.step = 9});
  pass(2);
  executor.sample(ticket, {});
  EXPECT_EQ(executor.finish(ticket).step, 9u);
  pass(60);
  timer.end(StepPhase::kCommit);

  const StepPhases phases = timer.take();
  EXPECT_EQ(phases[StepPhase::kIdle], Nanos(5000));
  EXPECT_EQ(phases[StepPhase::kInbox], Nanos(7));
  EXPECT_EQ(phases[StepPhase::kPlan], Nanos(42));
  EXPECT_EQ(phases[StepPhase::kInputs], Nanos(300));
  EXPECT_EQ(phases[StepPhase::kTurn], Nanos(80));
  EXPECT_EQ(phases[StepPhase::kModel], Nanos(630));
  EXPECT_EQ(phases[StepPhase::kSampling], Nanos(200));
  EXPECT_EQ(phases[StepPhase::kCommit], Nanos(60));
  EXPECT_EQ(phases[StepPhase::kPublish], Nanos(0));

  pass(3);
  timer.end(StepPhase::kPublish);
  const StepPhases next = timer.take();  // each time is told once
  EXPECT_EQ(next[StepPhase::kPublish], Nanos(3));
  EXPECT_EQ(next[StepPhase::kModel], Nanos(0));
}

}  // namespace
}  // namespace quire
