// TenantQueues: who waits, and in which order. Each tenant has a counter of the work that was done
// for it, divided by its share of the machine, and whose counter is lowest is next. Within a tenant
// the policy orders, as it does for all when there is only one: a priority that a client asks for
// moves it among its own tenant's requests and past nobody else's.
//
// A prompt token that is computed counts 1, a generated token 2. What comes from the cache, what is
// computed again after a preemption and drafts that were wrong count nothing. Who begins to wait is
// lifted to the lowest counter of those that wait, so that idleness earns nothing. This is the
// virtual token counter of Sheng et al., "Fairness in Serving Large Language Models". Beside it, a
// tenant that waits, holds fewer rows by share than another and lags behind that one by more than
// `lag_max` pushes out its last: nobody waits for the end of somebody else's long answers.
//
// Invariants: a tenant is in the order exactly while somebody of it waits; counters never fall. A
// charge and an admission cost O(log tenants), and a charge allocates nothing. Integers only.
// Engine thread; used by Scheduler.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/status.h"
#include "core/request.h"
#include "sched/policy.h"
#include "sched/sequence.h"

namespace quire {

// What one tenant is owed and who of it is here.
struct TenantQueue {
  using Waiting = std::set<Sequence*, PolicyOrder>;
  explicit TenantQueue(const Policy& policy) : waiting(PolicyOrder{&policy}) {}

  std::string_view name;     // the key that it is found by
  std::uint64_t number = 0;  // in the order of first arrival; breaks ties
  std::uint32_t share = 1;
  std::uint64_t served = 0;              // costs divided by the share, in kServedUnit; lifted
  std::uint32_t sequences = 0;           // of it in the scheduler
  std::uint32_t running = 0;             // of those
  std::uint32_t requests_waiting = 0;    // never admitted yet
  Waiting waiting;
  std::uint64_t pass = 0;                // that `next` belongs to
  Waiting::iterator next{};
};

class TenantQueues {
 public:
  static constexpr std::uint32_t kPromptCost = 1;   // of a token
  static constexpr std::uint32_t kAnswerCost = 2;
  static constexpr std::uint64_t kServedUnit = 720'720;  // divisible by every share up to 16
  static constexpr std::size_t kIdleMax = 1024;     // tenants remembered that have nobody here

  // `lag_max` is in costs by share.
  TenantQueues(const Policy& policy, std::uint32_t lag_max);
  TenantQueues(const TenantQueues&) = delete;

  // A sequence of this request comes, and later goes. What is returned stays until then.
  TenantQueue& enter(const Request& request);
  void leave(TenantQueue& tenant);

  void add(Sequence& seq);     // it waits
  void remove(Sequence& seq);  // REQUIRES: it waits
  bool is_empty() const { return waiting_ == 0; }
  std::uint32_t size() const { return waiting_; }  // sequences
  std::uint32_t requests_waiting(std::string_view tenant) const;

  // One pass over all that wait, in order of service: who is next is asked anew each time, and
  // nobody comes twice. The one that came last may be removed, and others may be added.
  void begin_pass() { ++pass_; }
  // Of tenants that are served before `rival` if there is one. Null: that was all.
  Sequence* next(const TenantQueue* rival = nullptr);

  void charge(TenantQueue& tenant, std::uint64_t cost);

  // The policy's questions, between tenants too. Strict total orders.
  bool is_served_before(const Sequence& a, const Sequence& b) const;
  bool gives_way_before(const Sequence& a, const Sequence& b) const;
  bool displaces(const Sequence& waiting, const Sequence& running) const;
  // Are there sequences of more than one tenant?
  bool has_rivals() const { return present_ > 1; }

  Status check() const;

 private:
  struct LeastServed {
    bool operator()(const TenantQueue* a, const TenantQueue* b) const {
      return a->served != b->served ? a->served < b->served : a->number < b->number;
    }
  };
  std::uint64_t floor() const;
  void forget_one();

  const Policy* policy_;
  std::uint64_t lag_max_;
  std::map<std::string, TenantQueue, std::less<>> tenants_;
  std::set<TenantQueue*, LeastServed> order_;  // of whom somebody waits
  std::set<TenantQueue*, LeastServed> idle_;   // of whom nobody is here
  const TenantQueue* waited_last_ = nullptr;   // whose queue ran empty last
  std::uint64_t floor_ = 0;                    // what that one had when it was forgotten
  std::uint32_t present_ = 0;                  // tenants with sequences
  std::uint32_t waiting_ = 0;
  std::uint64_t numbers_ = 0;
  std::uint64_t pass_ = 0;
};

}  // namespace quire
