// DynamicBatching: how long requests wait for company before they are computed, in which order they
// are let in and what becomes of those that wait too long: Triton's settings of that name as plain
// values. sched/dynamic_batcher does what they say; host/repository reads them from config.pbtxt.
// Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace quire {

// What those are told who find their queue full or who have waited beyond their timeout.
inline constexpr const char* kQueueFull = "Exceeds maximum queue size";
inline constexpr const char* kTimeoutExpired = "Request timeout expired";

// What happens to requests that wait.
struct QueuePolicy {
  bool delays = false;               // timeout_action DELAY: served when nobody else waits
  std::uint64_t timeout_us = 0;      // default_timeout_microseconds; 0: none
  bool may_override = false;         // a request's own timeout may be shorter
  std::uint32_t size_max = 0;        // max_queue_size; 0: no bound of its own
};

struct DynamicBatching {
  std::vector<std::uint32_t> preferred;   // preferred_batch_size, ascending
  std::uint64_t delay_us_max = 0;         // max_queue_delay_microseconds
  bool preserves_order = false;
  std::uint64_t levels = 0;               // priority_levels; 0: there are none
  std::uint64_t default_level = 0;
  QueuePolicy queue;                      // default_queue_policy
  std::map<std::uint64_t, QueuePolicy> queue_of;  // by priority

  const QueuePolicy& policy_of(std::uint64_t level) const {
    const auto own = queue_of.find(level);
    return own == queue_of.end() ? queue : own->second;
  }

  // Whether somebody may wait, be preferred or be turned away because of these settings. Else
  // requests go straight to the scheduler.
  bool acts() const {
    return delay_us_max > 0 || levels > 0 || queue.timeout_us > 0 || queue.may_override ||
           queue.size_max > 0;
  }

  // Of a request, whose `priority` counts from the default level: smaller is sooner. 0: there are
  // no levels.
  std::uint64_t level_of(int priority) const {
    if (levels == 0) return 0;
    const auto level = static_cast<std::int64_t>(default_level) + priority;
    if (level < 1) return 1;
    return level > static_cast<std::int64_t>(levels) ? levels : static_cast<std::uint64_t>(level);
  }
};

}  // namespace quire
