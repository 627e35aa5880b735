// TenantMeter: what each tenant of a simulation was served, by what clients and rows show alone, so
// that it can judge the scheduler: a computed prompt token is 1 and a generated one 2, each once.
// Its figure is the drift: by how much two tenants' service, divided by their shares, moved apart
// over any stretch of time in which both had somebody waiting. Plain bookkeeping; one thread. Used
// by simulate().
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/engine.h"

namespace quire {

struct TenantService {
  std::uint32_t share = 1;
  std::uint32_t waiting = 0;           // requests, now
  std::uint64_t prompt_tokens = 0;     // computed, each once
  std::uint64_t generated_tokens = 0;
  std::uint64_t contended = 0;         // service while every tenant had somebody waiting
  std::uint64_t served() const { return prompt_tokens + 2 * generated_tokens; }
};

class TenantMeter {
 public:
  explicit TenantMeter(const std::vector<std::uint32_t>& shares);

  // Requests of one branch.
  void submit(RequestId id, std::uint32_t tenant, std::uint32_t prompt_tokens);
  void take(const StepEvents& step);

  const std::vector<TenantService>& tenants() const { return tenants_; }
  double drift_max() const { return drift_max_; }  // service by share

 private:
  struct Asked {
    std::uint32_t tenant = 0;
    std::uint32_t prompt_tokens = 0;
    std::uint32_t reached = 0;  // prompt tokens that were ever computed or cached
    bool is_waiting = false;
  };
  // Two tenants in a stretch of time in which both wait.
  struct Pair {
    bool is_contended = false;
    double lowest = 0, highest = 0;  // how far the first was ahead
  };
  void wait(Asked& asked, bool is_waiting);
  void book(const RowFact& row);
  void compare(std::size_t a, std::size_t b, Pair& pair);

  std::vector<TenantService> tenants_;
  std::vector<Pair> pairs_;  // [tenants, tenants]
  std::map<RequestId, Asked> asked_;
  double drift_max_ = 0;
};

}  // namespace quire
