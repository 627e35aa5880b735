// StepProfile: where a server's engine thread spent a load, from its /metrics before and after: the
// sums of quire_step_phase_seconds by phase, beside the computing time of the thread that speaks
// HTTP. Shares are of the time that the engine was not asleep. Pure functions, called by
// apps/bench_serve.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace quire {

struct StepProfile {
  struct Phase {
    std::string name;    // "model"
    double seconds = 0;  // in all
  };
  double steps = 0;
  double idle_seconds = 0;
  std::vector<Phase> phases;  // all but idle and turn, in the server's order
  double io_seconds = 0;      // computed by the HTTP thread, beside the engine's

  double busy_seconds() const;  // of the engine thread
  double host_seconds() const;  // of that all but the model, and the HTTP thread's
};

// Two texts of /metrics. An error if they are not of a server that tells phases.
Result<StepProfile> step_profile(std::string_view before, std::string_view after);

std::string profile_table(const StepProfile& profile);
Json profile_json(const StepProfile& profile);

}  // namespace quire
