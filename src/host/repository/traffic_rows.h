// What the versions of a model get and do whose traffic is divided: for those who show it. A
// repository that divides traffic is a TrafficSource beside what it is otherwise.
// Plain values; any thread. Used by serve.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quire {

struct TrafficRow {
  std::string name;
  std::uint64_t version = 0;
  std::string role;          // stable, split, shadow, canary, promoted, rolled back, none
  double percent = 0;        // of the requests to the bare name
  std::uint64_t requests = 0, failed = 0;   // that clients sent
  std::uint64_t mirrored = 0;               // copies, whose answers go nowhere
  std::uint64_t compared = 0, different = 0, mirrors_failed = 0;  // of those
  double token_s = 0;        // of computing, a token on average
  std::string reason;        // of a canary's end
};

class TrafficSource {
 public:
  virtual ~TrafficSource() = default;
  virtual std::vector<TrafficRow> traffic() const = 0;  // of models that have a traffic.json
};

}  // namespace quire
