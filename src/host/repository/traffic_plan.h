// TrafficPlan: what the file traffic.json beside a model's config.pbtxt wants of its versions:
//   {"stable": 2, "split": {"2": 90, "3": 10}}
//   {"stable": 2, "canary": {"version": 3, "steps": [5, 25, 100], "requests": 50,
//                            "bounds": {"errors": 0.02, "latency": 1.5, "divergence": 0.1}}}
//   {"stable": 2, "shadow": {"version": 3, "percent": 20}}
// "stable" is whom the bare name means; versions are those that the model's policy serves. Unknown
// fields are refused by name.
// Plain values; any thread. Used by canary, traffic and folder_repository.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace quire {

// Where a version is too bad.
struct TrafficBounds {
  double errors = 0.05;      // of its requests that have ended, those that failed
  double latency = 2.0;      // computing time for a token, in times of the stable version's
  double divergence = 1.0;   // of the mirrored requests, those that were answered otherwise
};

struct CanaryPlan {
  std::uint64_t version = 0;
  std::vector<std::uint32_t> steps = {5, 25, 50, 100};  // percent, ascending, the last is 100
  std::uint32_t requests = 100;    // that it gets in each step
  std::uint32_t mirror_percent = 100;  // of those, asked of the stable version too and compared
  TrafficBounds bounds;
};

struct ShadowPlan {
  std::uint64_t version = 0;
  std::uint32_t percent = 100;  // of the requests, asked of it too; its answers go nowhere
};

struct TrafficPlan {
  std::uint64_t stable = 0;
  std::map<std::uint64_t, std::uint32_t> split;  // weights; empty: all to the stable one
  std::optional<CanaryPlan> canary;              // then there is no split
  std::optional<ShadowPlan> shadow;
};

// kInvalidArgument names the field.
Result<TrafficPlan> read_traffic_plan(const Json& json);

}  // namespace quire
