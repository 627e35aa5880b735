// Inbox: the one door from other threads into the engine. Requests and cancellations gather here
// until the engine thread takes them all at once, between two steps; it sleeps here when there is
// nothing to do. Bounds: of each tenant, requests inside plus those taken but not yet admitted are
// at most waiting_max, so that a flood of one fills no other's queue; of each priority level, those
// that are not let in yet (EngineCore::let_in) are at most its max_queue_size, where those that
// came together count as one; a request is cancelled once at most while it lives; one question
// waits.
// Any thread, but take() and what stands below it: engine thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/nanos.h"
#include "base/status.h"
#include "core/batching.h"
#include "core/request.h"
#include "sched/queue_turn.h"

namespace quire {

class Inbox {
 public:
  // `batching`: what the engine does with those that wait.
  explicit Inbox(std::uint32_t waiting_max, DynamicBatching batching = {});

  // kResourceExhausted: the tenant's queue or that of the level is full. kUnavailable: closed.
  // kInvalidArgument: the id is in use.
  // `arrived`: since when it waits for EngineCore::let_in(); absent: it does not.
  Status submit(Request request, std::optional<Nanos> arrived = std::nullopt);
  // All or none; the last of them counts in the queue of their level.
  // REQUIRES: there is one; all are of one tenant and one priority; no two have the same id.
  Status submit_all(std::vector<Request> requests, std::optional<Nanos> arrived);
  void cancel(RequestId id);  // unknown and ended ids are fine
  void close();               // no more requests, and nobody waits for company
  void stop_waiting();        // nobody waits for company
  void stop();                // close, and tell the engine thread to end
  bool is_idle() const;       // no request lives
  void pause(bool is_paused);  // from now on no step begins, or again
  void forget_cache();         // once
  void ask(std::uint64_t question);  // to be looked at; a newer question replaces an older one

  struct Batch {
    std::vector<Request> requests;
    std::vector<std::optional<QueueTurn>> turns;  // [requests]
    std::vector<RequestId> cancels;
    std::optional<std::uint64_t> question;
    bool is_stopping = false;
    bool is_paused = false;  // a state, told with every batch
    bool stops_waiting = false;  // for company; a state, likewise
    bool forgets_cache = false;
  };
  // Everything that came since; sleeps until there is something if `may_sleep`, but not beyond
  // `wake_at`.
  Batch take(bool may_sleep, std::optional<Nanos> wake_at = std::nullopt);
  // Before a step: who of a level waits no longer.
  void report_let_in(std::span<const RequestId> ids);
  // After a step: which of the taken requests were admitted, once or again, and which have ended.
  void report(std::span<const RequestId> admitted, std::span<const RequestId> ended);

 private:
  using Waiting = std::map<std::string, std::uint32_t>;  // requests by tenant; none is zero
  struct Live {
    Waiting::iterator tenant;             // end(): admitted
    std::optional<std::uint64_t> level;   // whose queue it counts in; absent: none, or let in
  };
  Status check(const std::vector<Request>& requests,
               const std::optional<std::uint64_t>& level) const;  // under the lock
  void leave_queue(Waiting::iterator& tenant);
  void leave_level(std::optional<std::uint64_t>& level);

  const std::uint32_t waiting_max_;
  const DynamicBatching batching_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  Batch batch_;
  Waiting waiting_;                                // inside, or taken and not admitted
  std::map<std::uint64_t, std::uint32_t> levels_;  // of those not let in, who count
  std::map<RequestId, Live> live_;
  std::set<RequestId> cancelled_;  // of those
  bool is_closed_ = false;
  bool is_news_ = false;  // of a pause or its end, or that nobody waits for company
};

}  // namespace quire
