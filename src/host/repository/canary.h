// Canary: the decision about a new version, request by request. It gets its share in steps; in each
// step it gets so many requests and no more, and when all of them have ended (and what was mirrored
// is compared) the bounds decide: on to the next step, or back to none. Failures and divergences
// that no good end of the step could make up for decide at once. After the last step it has won.
// A request that says nothing is none of the step's, and another takes its place: its client has
// left, or it was to be compared and was not. Of the latter so many in a step, as of those that it
// refuses, end it: what nobody can judge may not wait for ever.
// No clock and no thread: whoever owns it tells what happened. Times are of any unit, the same for
// both versions. Used by traffic, under its lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "host/repository/traffic_plan.h"

namespace quire {

class Canary {
 public:
  enum class State : std::uint8_t { kRunning, kPromoted, kRolledBack };

  struct Outcome {
    bool failed = false;
    double time = 0;            // of computing
    std::uint64_t tokens = 0;   // that it computed
  };

  // How far it has come: what outlasts the process.
  struct Mark {
    State state = State::kRunning;
    std::size_t step = 0;
    std::uint64_t requests = 0;  // of all steps that are over
    std::string reason;
    bool operator==(const Mark&) const = default;
  };

  explicit Canary(CanaryPlan plan) : plan_(std::move(plan)) {}
  // Goes on where another was: at the beginning of that step. REQUIRES: the plan has it.
  Canary(CanaryPlan plan, const Mark& mark);

  Mark mark() const { return {state_, step_, began_before_, reason_}; }

  const CanaryPlan& plan() const { return plan_; }
  State state() const { return state_; }
  const std::string& reason() const { return reason_; }  // of the end
  // Of the requests that come now, those for the new version: of a hundred.
  std::uint32_t percent() const;

  void began();                        // the new version has got a request
  void ended(const Outcome& outcome);  // and answered it
  void withdrawn();                    // or did not get it after all, or its client has left
  void refused();                      // or has not taken it: its queue is full
  void missed();                       // or answered it, and its mirror has come to nothing
  void ended_stable(const Outcome& outcome);
  // A mirrored request that is still to be compared, and that it has been, after ended().
  void mirrored() { ++comparing_; }
  void compared(bool is_same);
  void not_compared();  // nor will be

  std::uint64_t began_in_all() const { return began_in_all_; }

 private:
  struct Sum {
    double time = 0;
    std::uint64_t tokens = 0;
  };

  void decide();
  void roll_back(std::string reason);

  CanaryPlan plan_;
  State state_ = State::kRunning;
  std::string reason_;
  std::size_t step_ = 0;
  std::uint32_t begun_ = 0, ended_ = 0, failed_ = 0, refused_ = 0, missed_ = 0;  // in this step
  std::uint64_t comparing_ = 0, compared_ = 0, different_ = 0;
  std::uint64_t began_in_all_ = 0, began_before_ = 0;  // before: this step
  Sum new_, stable_;  // of all steps
};

// What came of a canary before, and whom to tell how far it has come; empty: nobody. `keep` must
// not wait.
struct CanaryMemory {
  std::optional<Canary::Mark> mark;
  std::function<void(const Canary::Mark&)> keep;
};

}  // namespace quire
