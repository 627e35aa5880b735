#include "sim/sim_executor.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"

namespace quire {

Ticket SimExecutor::launch(const StepPlan& plan) {
  plans_hash_ = mix64(plans_hash_ * 31 + plan.hash());
  const Nanos starts_at = std::max(now_ + cost_.host, busy_until_);
  Flight& flight = flights_.emplace_back();
  flight.result.step = plan.step;
  flight.result.elapsed = cost_.step_time(plan);
  flight.ends_at = busy_until_ = starts_at + flight.result.elapsed;
  for (const StepRow& row : plan.rows) flight.result.rows.emplace_back().seq = row.seq;
  return {plan.step};
}

void SimExecutor::sample(Ticket ticket, const SampleSpec& spec) {
  const auto flight = std::find_if(flights_.begin(), flights_.end(),
                                   [&](const Flight& it) { return it.result.step == ticket.step; });
  QUIRE_CHECK(flight != flights_.end(), "step {} is not in flight", ticket.step);
  for (const SampleRow& row : spec.rows) {
    if (row.target >= 0) continue;
    const std::uint64_t noise = mix64(row.params->seed + row.stream) + row.position;
    flight->result.rows[row.row].accepted = {static_cast<TokenId>(mix64(noise) % capacity_.vocab)};
  }
}

StepResult SimExecutor::finish(Ticket ticket) {
  QUIRE_CHECK(!flights_.empty() && flights_.front().result.step == ticket.step,
              "step {} is finished out of order", ticket.step);
  Flight flight = std::move(flights_.front());
  flights_.pop_front();
  finished_at_ = flight.ends_at;
  return std::move(flight.result);
}

}  // namespace quire
