// TimedExecutor: the real calls, with the ends of phases around them.
#include "engine/step_phases.h"

namespace quire {

Ticket TimedExecutor::launch(const StepPlan& plan) {
  timer_.end(StepPhase::kPlan);
  const Ticket ticket = real_->launch(plan);
  timer_.end(StepPhase::kModel);
  return ticket;
}

void TimedExecutor::sample(Ticket ticket, const SampleSpec& spec) {
  timer_.end(StepPhase::kPlan);
  real_->sample(ticket, spec);
  timer_.end(StepPhase::kSampling);
}

void TimedExecutor::for_each(std::size_t count, const std::function<void(std::size_t)>& work) {
  timer_.end(StepPhase::kPlan);
  real_->for_each(count, work);
  timer_.end(StepPhase::kMasks);
}

StepResult TimedExecutor::finish(Ticket ticket) {
  timer_.end(StepPhase::kPlan);
  StepResult result = real_->finish(ticket);
  timer_.end(StepPhase::kModel);  // what is waited for
  timer_.move(StepPhase::kModel, StepPhase::kTurn, result.waited);
  timer_.move(StepPhase::kModel, StepPhase::kInputs, result.inputs);
  return result;
}

}  // namespace quire
