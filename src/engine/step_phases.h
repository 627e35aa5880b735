// StepPhases: where the engine thread's time goes. A PhaseTimer books the time since the last call
// under the phase that the caller says has just ended, so that phases add up to the whole, and a
// TimedExecutor ends phases around the calls of a real executor: the core between them needs no
// clock. About ten clock reads a step. Owned and used by engine/engine; the engine thread.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "core/executor.h"

namespace quire {

enum class StepPhase {
  kIdle,      // asleep: nothing to do
  kInbox,     // taking requests and cancellations in
  kPlan,      // schedule, check and describe the step
  kTurn,      // waiting for the device while other models use it
  kInputs,    // the step's arrays for the device
  kModel,     // the forward pass
  kMasks,     // what grammars allow
  kSampling,  // from logits to tokens
  kCommit,    // tokens into the schedule, and words out of tokens
  kPublish,   // events to the front door
};
inline constexpr std::array<std::string_view, 10> kStepPhaseNames = {
    "idle", "inbox", "plan", "turn", "inputs", "model", "masks", "sampling", "commit", "publish"};

struct StepPhases {
  std::array<Nanos, kStepPhaseNames.size()> times{};
  Nanos& operator[](StepPhase phase) { return times[static_cast<std::size_t>(phase)]; }
  Nanos operator[](StepPhase phase) const { return times[static_cast<std::size_t>(phase)]; }
};

class PhaseTimer {
 public:
  using Clock = Nanos (*)();
  explicit PhaseTimer(Clock clock = &SteadyClock::now) : clock_(clock), last_(clock()) {}

  // The time since the last end() belongs to `phase`.
  void end(StepPhase phase) {
    const Nanos now = clock_();
    phases_[phase] += now - last_;
    last_ = now;
  }
  // Of what was booked under `from`, so much was `to`.
  void move(StepPhase from, StepPhase to, Nanos time) {
    phases_[from] -= time;
    phases_[to] += time;
  }
  // What was booked since the last take().
  StepPhases take() { return std::exchange(phases_, {}); }

 private:
  Clock clock_;
  Nanos last_;
  StepPhases phases_;
};

class TimedExecutor final : public Executor {
 public:
  // The timer outlives this.
  TimedExecutor(std::unique_ptr<Executor> real, PhaseTimer& timer)
      : real_(std::move(real)), timer_(timer) {}

  const Capacity& capacity() const override { return real_->capacity(); }
  Ticket launch(const StepPlan& plan) override;
  void sample(Ticket ticket, const SampleSpec& spec) override;
  StepResult finish(Ticket ticket) override;
  void for_each(std::size_t count, const std::function<void(std::size_t)>& work) override;

 private:
  std::unique_ptr<Executor> real_;
  PhaseTimer& timer_;
};

}  // namespace quire
