#include "runtime/local_executor.h"

#include "base/check.h"
#include "base/clock.h"

namespace quire {

LocalExecutor::LocalExecutor(std::unique_ptr<Backend> backend, std::unique_ptr<Model> model,
                             std::unique_ptr<KvStore> kv, Capacity capacity,
                             std::function<Status()> health)
    : backend_(std::move(backend)),
      capacity_(std::move(capacity)),
      runner_(capacity_, *backend_, std::move(model), std::move(kv)),
      health_(std::move(health)) {
  QUIRE_CHECK(backend_ != nullptr && !capacity_.groups.empty() && capacity_.rows_max > 0,
              "an executor of {} groups and {} rows", capacity_.groups.size(),
              capacity_.rows_max);
}

Ticket LocalExecutor::launch(const StepPlan& plan) {
  QUIRE_CHECK(plan_.step == 0, "step {} is launched while step {} is in flight", plan.step,
              plan_.step);
  const Status status = validate(plan, capacity_);
  QUIRE_CHECK(status.is_ok(), "step {}: {}", plan.step, status.message());
  const Nanos asked_at = SteadyClock::now();
  turn_ = backend_->turns().take();
  launched_at_ = SteadyClock::now();
  waited_ = launched_at_ - asked_at;
  plan_ = plan;
  runner_.feed(plan_);
  inputs_ = SteadyClock::now() - launched_at_;
  runner_.compute();
  return {plan.step};
}

void LocalExecutor::sample(Ticket ticket, const SampleSpec& spec) {
  QUIRE_CHECK(ticket.step == plan_.step, "step {} is not in flight", ticket.step);
  QUIRE_CHECK(result_.step != ticket.step, "step {} is sampled twice", ticket.step);
  result_ = runner_.sample(plan_, spec);
}

StepResult LocalExecutor::finish(Ticket ticket) {
  QUIRE_CHECK(ticket.step == plan_.step && result_.step == plan_.step,
              "step {} was not launched and sampled", ticket.step);
  result_.elapsed = SteadyClock::now() - launched_at_;
  result_.waited = waited_;
  result_.inputs = inputs_;
  if (const Status status = health(); !status.is_ok()) result_.fault = status.message();
  plan_ = {};
  turn_.give_back();
  return std::move(result_);
}

}  // namespace quire
