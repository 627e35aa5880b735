#include "engine/inbox.h"

#include <utility>

namespace quire {

Status Inbox::submit(Request request) {
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return Status(StatusCode::kUnavailable, "the engine accepts no new requests");
    if (batch_.requests.size() + waiting_ >= waiting_max_) {
      return error(StatusCode::kResourceExhausted, "{} requests are waiting; at most {} may",
                   batch_.requests.size() + waiting_, waiting_max_);
    }
    if (!live_.insert(request.id).second) {
      return error(StatusCode::kInvalidArgument, "request {} is already here", request.id.value);
    }
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
             batch_.is_stopping;
    });
  }
  waiting_ += static_cast<std::uint32_t>(batch_.requests.size());
  const bool is_stopping = batch_.is_stopping;
  Batch taken = std::exchange(batch_, {});
  batch_.is_stopping = is_stopping;
  return taken;
}

void Inbox::report(std::uint32_t waiting, std::span<const RequestId> ended) {
  const std::lock_guard lock(mutex_);
  waiting_ = waiting;
  for (const RequestId id : ended) {
    live_.erase(id);
    cancelled_.erase(id);
  }
}

}  // namespace quire
