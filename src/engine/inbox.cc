#include "engine/inbox.h"

#include <utility>

#include "base/check.h"

namespace quire {

Status Inbox::submit(Request request) {
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return Status(StatusCode::kUnavailable, "the engine accepts no new requests");
    const auto tenant = waiting_.find(request.tenant);
    if (tenant != waiting_.end() && tenant->second >= waiting_max_) {
      return error(StatusCode::kResourceExhausted, "{} requests are waiting; at most {} may",
                   tenant->second, waiting_max_);
    }
    const auto [live, is_new] = live_.try_emplace(request.id, waiting_.end());
    if (!is_new) {
      return error(StatusCode::kInvalidArgument, "request {} is already here", request.id.value);
    }
    live->second = waiting_.try_emplace(request.tenant, 0).first;
    ++live->second->second;
    batch_.requests.push_back(std::move(request));
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
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
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

Inbox::Batch Inbox::take(bool may_sleep) {
  std::unique_lock lock(mutex_);
  if (may_sleep) {
    arrived_.wait(lock, [this] {
      return !batch_.requests.empty() || !batch_.cancels.empty() || batch_.question ||
             batch_.is_stopping || batch_.forgets_cache || is_news_;
    });
  }
  Batch taken = std::exchange(batch_, {});
  batch_.is_stopping = taken.is_stopping;  // these are states
  batch_.is_paused = taken.is_paused;
  is_news_ = false;
  return taken;
}

void Inbox::report(std::span<const RequestId> admitted, std::span<const RequestId> ended) {
  const std::lock_guard lock(mutex_);
  for (const RequestId id : admitted) {
    const auto live = live_.find(id);
    if (live != live_.end()) leave_queue(live->second);
  }
  for (const RequestId id : ended) {
    const auto live = live_.find(id);
    QUIRE_CHECK(live != live_.end(), "request {} ended and was not here", id.value);
    leave_queue(live->second);
    live_.erase(live);
    cancelled_.erase(id);
  }
}

// Once; a request that was preempted and admitted again has left it already.
void Inbox::leave_queue(Waiting::iterator& tenant) {
  if (tenant == waiting_.end()) return;
  QUIRE_CHECK(tenant->second > 0, "nobody of tenant '{}' waits", tenant->first);
  if (--tenant->second == 0) waiting_.erase(tenant);
  tenant = waiting_.end();
}

}  // namespace quire
