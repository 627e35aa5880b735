#include "host/repository/canary.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quire {

Canary::Canary(CanaryPlan plan, const Mark& mark)
    : plan_(std::move(plan)),
      state_(mark.state),
      reason_(mark.reason),
      step_(mark.step),
      began_in_all_(mark.requests),
      began_before_(mark.requests) {
  QUIRE_CHECK(step_ < plan_.steps.size(), "step {} of a canary of {}", step_, plan_.steps.size());
}

std::uint32_t Canary::percent() const {
  if (state_ == State::kPromoted) return 100;
  const bool is_full = begun_ >= plan_.requests;  // of this step: its outcome is awaited
  return state_ == State::kRolledBack || is_full ? 0 : plan_.steps[step_];
}

void Canary::began() {
  if (state_ != State::kRunning) return;
  ++begun_;
  ++began_in_all_;
}

void Canary::ended(const Outcome& outcome) {
  if (state_ != State::kRunning) return;
  ++ended_;
  failed_ += outcome.failed ? 1 : 0;
  if (!outcome.failed) {
    new_.time += outcome.time;
    new_.tokens += outcome.tokens;
  }
  decide();
}

void Canary::withdrawn() {
  if (state_ != State::kRunning) return;
  if (begun_ > 0) --begun_;
  --began_in_all_;
}

// It takes part in nothing; but a version that takes none is none that may wait for ever.
void Canary::refused() {
  if (state_ != State::kRunning) return;
  withdrawn();
  if (++refused_ < plan_.requests) return;
  roll_back(fmt::format("it refused {} requests in a step of {}", refused_, plan_.requests));
}

void Canary::missed() {
  if (state_ != State::kRunning) return;
  withdrawn();
  if (++missed_ < plan_.requests) return;
  roll_back(fmt::format("{} requests in a step of {} could not be compared", missed_,
                        plan_.requests));
}

void Canary::ended_stable(const Outcome& outcome) {
  if (outcome.failed) return;
  stable_.time += outcome.time;
  stable_.tokens += outcome.tokens;
}

void Canary::compared(bool is_same) {
  --comparing_;
  ++compared_;
  different_ += is_same ? 0 : 1;
  if (state_ == State::kRunning) decide();
}

void Canary::not_compared() {
  --comparing_;
  if (state_ == State::kRunning) decide();
}

void Canary::roll_back(std::string reason) {
  state_ = State::kRolledBack;
  reason_ = std::move(reason);
  began_before_ = began_in_all_;
}

void Canary::decide() {
  const TrafficBounds& bounds = plan_.bounds;
  const double requests = plan_.requests;
  if (failed_ > bounds.errors * requests) {
    return roll_back(fmt::format("{} of {} requests failed, more than {:.1f} %", failed_, ended_,
                                 100 * bounds.errors));
  }
  const bool is_over = ended_ >= plan_.requests && comparing_ == 0;
  const double compared = static_cast<double>(compared_);
  const double most = is_over ? compared : std::max(compared, requests);
  if (static_cast<double>(different_) > bounds.divergence * most) {
    return roll_back(fmt::format("{} of {} mirrored requests were answered otherwise, more than "
                                 "{:.1f} %", different_, compared_, 100 * bounds.divergence));
  }
  if (!is_over) return;
  if (new_.tokens > 0 && stable_.tokens > 0) {
    const double mine = new_.time / static_cast<double>(new_.tokens);
    const double theirs = stable_.time / static_cast<double>(stable_.tokens);
    if (mine > bounds.latency * theirs) {
      return roll_back(fmt::format("a token takes it {:.2f} times as long as the stable version, "
                                   "more than {:.2f}", theirs > 0 ? mine / theirs : 0.0,
                                   bounds.latency));
    }
  }
  began_before_ = began_in_all_;
  if (++step_ == plan_.steps.size()) {
    state_ = State::kPromoted;
    reason_ = fmt::format("{} requests in {} steps stayed within the bounds", began_in_all_,
                          plan_.steps.size());
    step_ = plan_.steps.size() - 1;
    return;
  }
  begun_ = ended_ = failed_ = refused_ = missed_ = 0;
  compared_ = different_ = 0;
}

}  // namespace quire
