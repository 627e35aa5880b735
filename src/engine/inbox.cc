#include "engine/inbox.h"

#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace quire {

Inbox::Inbox(std::uint32_t waiting_max, DynamicBatching batching)
    : waiting_max_(waiting_max), batching_(std::move(batching)) {}

Status Inbox::submit(Request request, std::optional<Nanos> arrived) {
  std::vector<Request> one;
  one.push_back(std::move(request));
  return submit_all(std::move(one), arrived);
}

Status Inbox::check(const std::vector<Request>& requests,
                    const std::optional<std::uint64_t>& level) const {
  if (is_closed_) return Status(StatusCode::kUnavailable, "the engine accepts no new requests");
  const auto tenant = waiting_.find(requests.front().tenant);
  const std::uint32_t waiting = tenant == waiting_.end() ? 0 : tenant->second;
  if (waiting + requests.size() > waiting_max_) {
    const bool is_one = requests.size() == 1;
    return error(StatusCode::kResourceExhausted, "{} requests are waiting; at most {} may{}",
                 waiting, waiting_max_,
                 is_one ? "" : fmt::format(", and {} came together", requests.size()));
  }
  if (level) {
    const std::uint32_t size_max = batching_.policy_of(*level).size_max;
    const auto queue = levels_.find(*level);
    if (size_max > 0 && queue != levels_.end() && queue->second >= size_max) {
      return Status(StatusCode::kResourceExhausted, kQueueFull);
    }
  }
  for (const Request& request : requests) {
    if (!live_.contains(request.id)) continue;
    return error(StatusCode::kInvalidArgument, "request {} is already here", request.id.value);
  }
  return ok_status();
}

Status Inbox::submit_all(std::vector<Request> requests, std::optional<Nanos> arrived) {
  QUIRE_CHECK(!requests.empty(), "a call of no requests");
  std::optional<std::uint64_t> level;
  if (batching_.acts() && arrived) level = batching_.level_of(requests.front().priority);
  {
    const std::lock_guard lock(mutex_);
    QUIRE_RETURN_IF_ERROR(check(requests, level));
    const auto tenant = waiting_.try_emplace(requests.front().tenant, 0).first;
    for (Request& request : requests) {
      const bool counts = &request == &requests.back();
      const bool is_new = live_.try_emplace(request.id, Live{tenant, {}}).second;
      QUIRE_CHECK(is_new, "request {} came twice at once", request.id.value);
      if (counts) live_.at(request.id).level = level;
      ++tenant->second;
      batch_.turns.push_back(arrived ? std::optional(QueueTurn{*arrived, counts}) : std::nullopt);
      batch_.requests.push_back(std::move(request));
    }
    if (level) ++levels_[*level];
  }
  arrived_.notify_one();
  return ok_status();
}

void Inbox::cancel(RequestId id) {
  {
    const std::lock_guard lock(mutex_);
    if (!live_.contains(id) || !cancelled_.insert(id).second) return;
    batch_.cancels.push_back(id);
  }
  arrived_.notify_one();
}

void Inbox::close() {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    is_news_ |= !std::exchange(batch_.stops_waiting, true);
  }
  arrived_.notify_one();
}

void Inbox::stop_waiting() {
  {
    const std::lock_guard lock(mutex_);
    is_news_ |= !std::exchange(batch_.stops_waiting, true);
  }
  arrived_.notify_one();
}

void Inbox::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    batch_.is_stopping = true;
  }
  arrived_.notify_one();
}

void Inbox::pause(bool is_paused) {
  {
    const std::lock_guard lock(mutex_);
    is_news_ |= batch_.is_paused != is_paused;
    batch_.is_paused = is_paused;
  }
  arrived_.notify_one();
}

void Inbox::forget_cache() {
  {
    const std::lock_guard lock(mutex_);
    batch_.forgets_cache = true;
  }
  arrived_.notify_one();
}

void Inbox::ask(std::uint64_t question) {
  {
    const std::lock_guard lock(mutex_);
    batch_.question = question;
  }
  arrived_.notify_one();
}

bool Inbox::is_idle() const {
  const std::lock_guard lock(mutex_);
  return live_.empty();
}

Inbox::Batch Inbox::take(bool may_sleep, std::optional<Nanos> wake_at) {
  std::unique_lock lock(mutex_);
  const auto has_news = [this] {
    return !batch_.requests.empty() || !batch_.cancels.empty() || batch_.question ||
           batch_.is_stopping || batch_.forgets_cache || is_news_;
  };
  if (may_sleep && wake_at) {
    arrived_.wait_until(lock, std::chrono::steady_clock::time_point(*wake_at), has_news);
  } else if (may_sleep) {
    arrived_.wait(lock, has_news);
  }
  Batch taken = std::exchange(batch_, {});
  batch_.is_stopping = taken.is_stopping;  // these are states
  batch_.is_paused = taken.is_paused;
  batch_.stops_waiting = taken.stops_waiting;
  is_news_ = false;
  return taken;
}

void Inbox::report(std::span<const RequestId> admitted, std::span<const RequestId> ended) {
  const std::lock_guard lock(mutex_);
  for (const RequestId id : admitted) {
    const auto live = live_.find(id);
    if (live != live_.end()) leave_queue(live->second.tenant);
  }
  for (const RequestId id : ended) {
    const auto live = live_.find(id);
    QUIRE_CHECK(live != live_.end(), "request {} ended and was not here", id.value);
    leave_queue(live->second.tenant);
    leave_level(live->second.level);
    live_.erase(live);
    cancelled_.erase(id);
  }
}

void Inbox::report_let_in(std::span<const RequestId> ids) {
  if (ids.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const RequestId id : ids) {
    const auto live = live_.find(id);
    if (live != live_.end()) leave_level(live->second.level);
  }
}

void Inbox::leave_level(std::optional<std::uint64_t>& level) {
  if (!level) return;
  QUIRE_CHECK(levels_[*level] > 0, "nobody of level {} waits", *level);
  --levels_[*level];
  level.reset();
}

// Once; a request that was preempted and admitted again has left it already.
void Inbox::leave_queue(Waiting::iterator& tenant) {
  if (tenant == waiting_.end()) return;
  QUIRE_CHECK(tenant->second > 0, "nobody of tenant '{}' waits", tenant->first);
  if (--tenant->second == 0) waiting_.erase(tenant);
  tenant = waiting_.end();
}

}  // namespace quire
