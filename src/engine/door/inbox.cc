#include "engine/door/inbox.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace quire {

Inbox::Inbox(std::uint32_t waiting_max, DynamicBatching batching, std::size_t lanes,
             std::uint32_t lane_rows_max)
    : waiting_max_(waiting_max), batching_(std::move(batching)), lane_rows_max_(lane_rows_max) {
  QUIRE_CHECK(lanes > 0, "an engine without instances");
  for (std::size_t lane = 0; lane < lanes; ++lane) lanes_.emplace_back();
  if (lanes > 1 && batching_.acts()) common_.emplace(batching_, lane_rows_max);
}

Status Inbox::submit(Request request, std::optional<Nanos> arrived,
                     std::optional<std::size_t> lane) {
  std::vector<Request> one;
  one.push_back(std::move(request));
  return submit_all(std::move(one), arrived, lane);
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

std::size_t Inbox::freest_lane() const {
  const auto fewer = [](const Lane& a, const Lane& b) { return a.live < b.live; };
  return static_cast<std::size_t>(std::min_element(lanes_.begin(), lanes_.end(), fewer) -
                                  lanes_.begin());
}

std::uint32_t Inbox::places(const Lane& lane) const {
  return lane.live >= lane_rows_max_ ? 0 : lane_rows_max_ - static_cast<std::uint32_t>(lane.live);
}

void Inbox::put(Request request, std::optional<QueueTurn> turn, std::size_t lane) {
  QUIRE_CHECK(lane < lanes_.size(), "lane {} of {}", lane, lanes_.size());
  Lane& its = lanes_[lane];
  live_.at(request.id).lane = lane;
  ++its.live;
  its.batch.turns.push_back(turn);
  its.batch.requests.push_back(std::move(request));
  its.arrived.notify_one();
}

void Inbox::tell_all() {
  for (Lane& lane : lanes_) {
    lane.is_news = true;
    lane.arrived.notify_one();
  }
}

Status Inbox::submit_all(std::vector<Request> requests, std::optional<Nanos> arrived,
                         std::optional<std::size_t> lane) {
  QUIRE_CHECK(!requests.empty(), "a call of no requests");
  QUIRE_CHECK(!lane || !arrived, "a request waits for a lane that it has");
  std::optional<std::uint64_t> level;
  if (batching_.acts() && arrived) level = batching_.level_of(requests.front().priority);
  const std::lock_guard lock(mutex_);
  QUIRE_RETURN_IF_ERROR(check(requests, level));
  const auto tenant = waiting_.try_emplace(requests.front().tenant, 0).first;
  const bool waits = common_ && arrived;
  if (!waits && !lane) lane = freest_lane();
  for (Request& request : requests) {
    const bool counts = &request == &requests.back();
    const bool is_new = live_.try_emplace(request.id, Live{tenant, {}, {}}).second;
    QUIRE_CHECK(is_new, "request {} came twice at once", request.id.value);
    if (counts) live_.at(request.id).level = level;
    ++tenant->second;
    if (waits) {
      common_->add(std::move(request), QueueTurn{*arrived, counts});
    } else {
      const auto turn = arrived ? std::optional(QueueTurn{*arrived, counts}) : std::nullopt;
      put(std::move(request), turn, *lane);
    }
  }
  if (level) ++levels_[*level];
  if (common_) tell_all();  // whose turn it is may have changed
  return ok_status();
}

// An instance tells of its end, as of any other's.
void Inbox::cancel_waiting(Request request) {
  const RequestId id = request.id;
  const std::size_t lane = freest_lane();
  put(std::move(request), std::nullopt, lane);
  lanes_[lane].batch.cancels.push_back(id);
}

void Inbox::cancel(RequestId id) {
  const std::lock_guard lock(mutex_);
  const auto live = live_.find(id);
  if (live == live_.end() || !cancelled_.insert(id).second) return;
  if (live->second.lane) {
    Lane& lane = lanes_[*live->second.lane];
    lane.batch.cancels.push_back(id);
    lane.arrived.notify_one();
    return;
  }
  std::optional<Request> waiting = common_->take(id);
  QUIRE_CHECK(waiting.has_value(), "request {} is nowhere", id.value);
  cancel_waiting(std::move(*waiting));
  tell_all();
}

void Inbox::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  stop_waiting_locked();
}

void Inbox::stop_waiting() {
  const std::lock_guard lock(mutex_);
  stop_waiting_locked();
}

void Inbox::stop_waiting_locked() {
  if (common_) common_->stop_waiting();
  for (Lane& lane : lanes_) {
    lane.is_news |= !std::exchange(lane.batch.stops_waiting, true);
    lane.arrived.notify_one();
  }
}

void Inbox::stop() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  if (common_) {
    for (Request& request : common_->take_all()) cancel_waiting(std::move(request));
  }
  for (Lane& lane : lanes_) {
    lane.batch.is_stopping = true;
    lane.arrived.notify_one();
  }
}

void Inbox::pause(bool is_paused) {
  const std::lock_guard lock(mutex_);
  for (Lane& lane : lanes_) {
    lane.is_news |= lane.batch.is_paused != is_paused;
    lane.batch.is_paused = is_paused;
    lane.arrived.notify_one();
  }
}

void Inbox::forget_cache() {
  const std::lock_guard lock(mutex_);
  for (Lane& lane : lanes_) {
    lane.batch.forgets_cache = true;
    lane.arrived.notify_one();
  }
}

void Inbox::ask(std::uint64_t question) {
  const std::lock_guard lock(mutex_);
  for (Lane& lane : lanes_) {
    lane.batch.question = question;
    lane.arrived.notify_one();
  }
}

bool Inbox::is_idle() const {
  const std::lock_guard lock(mutex_);
  return live_.empty();
}

std::size_t Inbox::held() const {
  if (!common_) return 0;
  const std::lock_guard lock(mutex_);
  return common_->size();
}

Inbox::Batch Inbox::take(bool may_sleep, std::optional<Nanos> wake_at, std::size_t lane) {
  std::unique_lock lock(mutex_);
  Lane& its = lanes_[lane];
  Batch& batch = its.batch;
  const auto has_news = [&] {
    return !batch.requests.empty() || !batch.cancels.empty() || batch.question ||
           batch.is_stopping || batch.forgets_cache || its.is_news;
  };
  if (may_sleep && wake_at) {
    its.arrived.wait_until(lock, std::chrono::steady_clock::time_point(*wake_at), has_news);
  } else if (may_sleep) {
    its.arrived.wait(lock, has_news);
  }
  Batch taken = std::exchange(batch, {});
  batch.is_stopping = taken.is_stopping;  // these are states
  batch.is_paused = taken.is_paused;
  batch.stops_waiting = taken.stops_waiting;
  its.is_news = false;
  return taken;
}

// Batch after batch, as long as no other lane has fewer requests. Another one goes on then.
Inbox::Batch Inbox::let_in(std::size_t lane, Nanos now) {
  Batch all;
  if (!common_) return all;
  const std::lock_guard lock(mutex_);
  Lane& its = lanes_[lane];
  if (common_->size() == 0 || its.batch.is_paused) return all;  // though it may not know yet
  for (bool may_be_more = true; may_be_more && freest_lane() == lane;) {
    CommonQueue::Turn turn = common_->next(places(its), now);
    may_be_more = turn.has_batch;
    for (Request& request : turn.requests) {
      Live& live = live_.at(request.id);
      live.lane = lane;
      leave_level(live.level);
      ++its.live;
      all.turns.emplace_back();
      all.requests.push_back(std::move(request));
    }
    all.expired.insert(all.expired.end(), turn.expired.begin(), turn.expired.end());
  }
  if (!all.requests.empty() && common_->size() > 0) tell_all();
  return all;
}

std::optional<Nanos> Inbox::wake_at(std::size_t lane) const {
  if (!common_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (freest_lane() != lane || lanes_[lane].batch.is_paused) return std::nullopt;
  return common_->wake_at(places(lanes_[lane]));
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
    QUIRE_CHECK(live->second.lane.has_value(), "request {} ended and was let in nowhere", id.value);
    --lanes_[*live->second.lane].live;
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
