// Inbox: the one door from other threads into the engine. Requests and cancellations gather here
// until an engine thread takes them all at once, between two steps; it sleeps here when there is
// nothing to do. Bounds: of each tenant, requests inside plus those taken but not yet admitted are
// at most waiting_max, so that a flood of one fills no other's queue; of each priority level, those
// that are not let in yet (EngineCore::let_in) are at most its max_queue_size, where those that
// came together count as one; a request is cancelled once at most while it lives; one question
// waits. All of it holds for the engine as a whole, however many instances it has.
//
// Each instance has a lane: what is for its thread. A request goes to the lane with the fewest
// requests that have not ended, of several the first, and stays there. Where batching acts and
// there are several lanes, requests wait in a CommonQueue first, for let_in() of the lane whose
// turn it is: again the one with the fewest.
// Any thread, but take() and what stands below it: the lane's engine thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
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
#include "engine/door/common_queue.h"
#include "sched/queue_turn.h"

namespace quire {

class Inbox {
 public:
  // `batching`: what the engine does with those that wait. `lane_rows_max`: requests that an
  // instance computes for at once, asked for where there are several.
  explicit Inbox(std::uint32_t waiting_max, DynamicBatching batching = {}, std::size_t lanes = 1,
                 std::uint32_t lane_rows_max = 0);

  // kResourceExhausted: the tenant's queue or that of the level is full. kUnavailable: closed.
  // kInvalidArgument: the id is in use.
  // `arrived`: since when it waits for its batch; absent: it does not. `lane`: absent: its choice.
  Status submit(Request request, std::optional<Nanos> arrived = std::nullopt,
                std::optional<std::size_t> lane = std::nullopt);
  // All or none; the last of them counts in the queue of their level. Those that do not wait go to
  // one lane.
  // REQUIRES: there is one; all are of one tenant and one priority; no two have the same id; who
  // is given a lane does not wait.
  Status submit_all(std::vector<Request> requests, std::optional<Nanos> arrived,
                    std::optional<std::size_t> lane = std::nullopt);
  void cancel(RequestId id);  // unknown and ended ids are fine
  void close();               // no more requests, and nobody waits for company
  void stop_waiting();        // nobody waits for company
  void stop();                // close, and tell the engine thread to end
  bool is_idle() const;       // no request lives
  std::size_t held() const;   // that wait for let_in() of any lane
  void pause(bool is_paused);  // from now on no step begins, or again
  void forget_cache();         // once
  void ask(std::uint64_t question);  // to be looked at; a newer question replaces an older one

  struct Batch {
    std::vector<Request> requests;
    std::vector<std::optional<QueueTurn>> turns;  // [requests]
    std::vector<RequestId> cancels;
    std::vector<RequestId> expired;  // of the requests: their turn did not come in time
    std::optional<std::uint64_t> question;
    bool is_stopping = false;
    bool is_paused = false;  // a state, told with every batch
    bool stops_waiting = false;  // for company; a state, likewise
    bool forgets_cache = false;
  };
  // Everything that came since; sleeps until there is something if `may_sleep`, but not beyond
  // `wake_at`.
  Batch take(bool may_sleep, std::optional<Nanos> wake_at = std::nullopt, std::size_t lane = 0);
  // Those of the common queue whose turn it is and who go to this lane: requests without a turn,
  // and of them who expired. Nobody while the engine is paused.
  Batch let_in(std::size_t lane, Nanos now);
  // When let_in() of this lane has something to do although nothing happens until then.
  std::optional<Nanos> wake_at(std::size_t lane) const;
  // Before a step: who of a level waits no longer.
  void report_let_in(std::span<const RequestId> ids);
  // After a step: which of the taken requests were admitted, once or again, and which have ended.
  void report(std::span<const RequestId> admitted, std::span<const RequestId> ended);

 private:
  using Waiting = std::map<std::string, std::uint32_t>;  // requests by tenant; none is zero
  struct Live {
    Waiting::iterator tenant;             // end(): admitted
    std::optional<std::uint64_t> level;   // whose queue it counts in; absent: none, or let in
    std::optional<std::size_t> lane;      // absent: it is in the common queue
  };
  struct Lane {
    std::condition_variable arrived;
    Batch batch;
    bool is_news = false;  // of a state, or of the common queue
    std::size_t live = 0;  // requests
  };
  Status check(const std::vector<Request>& requests,
               const std::optional<std::uint64_t>& level) const;  // under the lock
  std::size_t freest_lane() const;
  std::uint32_t places(const Lane& lane) const;  // free ones
  void put(Request request, std::optional<QueueTurn> turn, std::size_t lane);
  void cancel_waiting(Request request);
  void stop_waiting_locked();
  void tell_all();  // lanes that there is news
  void leave_queue(Waiting::iterator& tenant);
  void leave_level(std::optional<std::uint64_t>& level);

  const std::uint32_t waiting_max_;
  const DynamicBatching batching_;
  const std::uint32_t lane_rows_max_;
  mutable std::mutex mutex_;
  std::deque<Lane> lanes_;           // never moved
  std::optional<CommonQueue> common_;  // absent, now and always: nobody waits here
  Waiting waiting_;                                // inside, or taken and not admitted
  std::map<std::uint64_t, std::uint32_t> levels_;  // of those not let in, who count
  std::map<RequestId, Live> live_;
  std::set<RequestId> cancelled_;  // of those
  bool is_closed_ = false;
};

}  // namespace quire
