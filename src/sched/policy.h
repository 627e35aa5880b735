// Policy: the two questions of taste that a scheduler has, as function objects: who is served
// before whom, and who gives way when the pool is short. It orders within one tenant; between
// tenants TenantQueues decides. One row of the table is one policy. Both must be strict total
// orders (arrival and branch break ties), so that the same messages give the same plans.
#pragma once

#include <array>
#include <string_view>
#include <tuple>

#include "sched/sequence.h"

namespace quire {

struct Policy {
  std::string_view name;
  bool (*is_served_before)(const Sequence& a, const Sequence& b);
  bool (*gives_way_before)(const Sequence& a, const Sequence& b);
  // May a waiting sequence push out a running one?
  bool (*displaces)(const Sequence& waiting, const Sequence& running);
};

// Sorts a queue by a policy.
struct PolicyOrder {
  const Policy* policy;
  bool operator()(const Sequence* a, const Sequence* b) const {
    return policy->is_served_before(*a, *b);
  }
};

// A smaller priority number first, then who came first; the last of that order gives way.
inline bool is_before_by_priority(const Sequence& a, const Sequence& b) {
  return std::tuple(a.request->priority, a.arrival, a.branch) <
         std::tuple(b.request->priority, b.arrival, b.branch);
}
inline bool is_after_by_priority(const Sequence& a, const Sequence& b) {
  return is_before_by_priority(b, a);
}
inline bool has_higher_priority(const Sequence& waiting, const Sequence& running) {
  return waiting.request->priority < running.request->priority;
}

inline constexpr std::array kPolicies = {
    Policy{"priority", is_before_by_priority, is_after_by_priority, has_higher_priority},
};

}  // namespace quire
