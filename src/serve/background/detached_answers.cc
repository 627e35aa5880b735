#include "serve/background/detached_answers.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace quire {

DetachedAnswer::DetachedAnswer(std::string id, std::string tenant, http::Request request)
    : id_(std::move(id)),
      tenant_(std::move(tenant)),
      exchange_(std::make_shared<http::Exchange>(std::move(request),
                                                 std::numeric_limits<std::size_t>::max() / 64)) {}

void DetachedAnswer::show(std::string body) {
  const std::lock_guard lock(mutex_);
  shown_ = std::move(body);
}

std::string DetachedAnswer::shown() const {
  const std::lock_guard lock(mutex_);
  return shown_;
}

void DetachedAnswer::add(std::string_view event) {
  events_.emplace_back(event);
  std::erase_if(followers_, [&](const auto& follower) { return !follower->write(event); });
}

void DetachedAnswer::end() {
  if (std::exchange(is_over_, true)) return;
  for (const auto& follower : std::exchange(followers_, {})) {
    if (!follower->is_gone()) follower->finish();
  }
}

void DetachedAnswer::follow(std::shared_ptr<http::Exchange> exchange, std::size_t first,
                            http::Response head) {
  for (std::size_t i = first; i < events_.size(); ++i) head.body += events_[i];
  exchange->start(std::move(head));
  if (is_over_) return exchange->finish();
  followers_.push_back(std::move(exchange));
}

bool DetachedAnswer::cancel() {
  if (is_over_ || is_committed_) return false;
  is_committed_ = true;
  is_cancelled_ = true;
  exchange_->leave();
  end();
  return true;
}

bool DetachedAnswers::add(std::shared_ptr<DetachedAnswer> answer) {
  const std::lock_guard lock(mutex_);
  const auto held = std::count_if(answers_.begin(), answers_.end(), [&](const auto& entry) {
    return entry.second->tenant() == answer->tenant();
  });
  if (static_cast<std::size_t>(held) >= kPerTenantMax) return false;
  answers_[answer->id()] = std::move(answer);
  return true;
}

std::shared_ptr<DetachedAnswer> DetachedAnswers::find(std::string_view id,
                                                      std::string_view tenant) const {
  const std::lock_guard lock(mutex_);
  const auto found = answers_.find(id);
  const bool is_theirs = found != answers_.end() && found->second->tenant() == tenant;
  return is_theirs ? found->second : nullptr;
}

void DetachedAnswers::remove(std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto found = answers_.find(id);
  if (found != answers_.end()) answers_.erase(found);
}

}  // namespace quire
