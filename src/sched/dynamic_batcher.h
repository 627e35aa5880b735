// DynamicBatcher: requests that wait until a batch of them is let in, as DynamicBatching says. A
// queue for each priority level; lower numbers are served first, within a level smaller priorities,
// then who came first.
//
// A batch is let in when
//   - it has a preferred size (without preferred sizes: the largest that is possible),
//   - it takes all the places that are free, so that it cannot grow, or
//   - somebody has waited for delay_us_max: then all that fit go, of whatever size.
// Who has waited beyond his timeout is turned away (REJECT) or served behind everybody of his level
// who has not (DELAY). A stream of higher levels starves the lower ones: that is what levels mean;
// timeouts are against it.
//
// A request's own timeout holds where its level allows that and if it is shorter than the level's;
// where the level has none, any is.
// What an event costs grows with the logarithm of how many wait.
// No clock, no thread: the same calls give the same answers. A request may have arrived before the
// last next(). The caller bounds how many wait; a
// level with a size_max bounds itself.
// Engine thread; used by engine/engine_core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/nanos.h"
#include "core/batching.h"
#include "sched/queue_turn.h"

namespace quire {

class DynamicBatcher {
 public:
  // `size_max`: of a batch; preferred sizes are at most that.
  DynamicBatcher(DynamicBatching rules, std::uint32_t size_max);

  // From now on it waits. `timeout`: its own; absent: none. `priority`: smaller is sooner within
  // the level. False: it counts, and its level is full.
  // REQUIRES: it does not wait already; the level is one of DynamicBatching::level_of.
  bool offer(RequestId id, std::uint64_t level, std::optional<Nanos> timeout, const QueueTurn& turn,
             int priority = 0);
  bool cancel(RequestId id);  // whether it waited
  void stop_waiting() { delay_ = Nanos{0}; }  // from now on nobody waits for company

  struct Release {
    std::vector<RequestId> batch;    // in the order of service; empty: none is due
    std::vector<RequestId> expired;  // turned away
  };
  // The next batch of those that are due, if it fits into `places`. Ask again until there is none.
  Release next(std::uint32_t places, Nanos now);

  // When next() has something to say although nobody comes, leaves or ends. Absent: never.
  std::optional<Nanos> wake_at(std::uint32_t places) const;

  std::size_t size() const { return waiting_.size(); }  // that wait
  std::size_t size(std::uint64_t level) const;

 private:
  // Of service within a level: those whose deadline has passed are behind all others.
  struct Order {
    bool is_delayed = false;
    int priority = 0;
    std::uint64_t number = 0;  // of its coming, or of its delay
    auto operator<=>(const Order&) const = default;
  };
  struct Waiting {
    std::uint64_t level = 0;
    Order order;
    Nanos since{0};
    std::optional<Nanos> deadline;  // of its turn; absent: none, or it has passed
    bool counts = true;
  };
  struct Level {
    QueuePolicy policy;
    std::map<Order, RequestId> queue;
    std::set<std::pair<Nanos, RequestId>> deadlines;
    std::size_t counted = 0;  // of the queue, those that do
  };
  using Place = std::map<RequestId, Waiting>::iterator;

  void leave(Place place);
  void delay(Level& level, RequestId id);
  void expire(Nanos now, std::vector<RequestId>& expired);
  std::size_t batch_size(std::uint32_t places, Nanos now) const;

  DynamicBatching rules_;
  Nanos delay_;
  std::uint32_t size_max_;
  std::uint64_t numbers_ = 0;              // given out
  std::map<std::uint64_t, Level> levels_;  // those that somebody ever was of
  std::map<RequestId, Waiting> waiting_;
  std::set<std::pair<Nanos, RequestId>> since_;  // when each of them came
};

}  // namespace quire
