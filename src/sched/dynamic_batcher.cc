#include "sched/dynamic_batcher.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace quire {
namespace {

constexpr std::uint64_t kMicrosMax = 1'000'000ull * 60 * 60 * 24 * 365;  // a year is for ever

Nanos from_micros(std::uint64_t micros) {
  return std::chrono::microseconds(std::min(micros, kMicrosMax));
}

}  // namespace

DynamicBatcher::DynamicBatcher(DynamicBatching rules, std::uint32_t size_max)
    : rules_(std::move(rules)), delay_(from_micros(rules_.delay_us_max)), size_max_(size_max) {
  QUIRE_CHECK(size_max > 0, "batches of nobody");
  if (rules_.preferred.empty()) rules_.preferred = {size_max};
}

bool DynamicBatcher::offer(RequestId id, std::uint64_t level, std::optional<Nanos> timeout,
                           Nanos now, int priority) {
  const auto [place, is_first] = levels_.try_emplace(level);
  Level& its = place->second;
  if (is_first) its.policy = rules_.policy_of(level);
  const QueuePolicy& policy = its.policy;
  if (policy.size_max > 0 && size(level) >= policy.size_max) return false;
  const bool is_new = levels_of_.emplace(id, level).second;
  QUIRE_CHECK(is_new, "request {} waits twice", id.value);
  std::optional<Nanos> patience;
  if (policy.timeout_us > 0) patience = from_micros(policy.timeout_us);
  if (policy.may_override && timeout && (!patience || *timeout < *patience)) patience = timeout;
  Waiting waiting{.id = id, .since = now, .priority = priority};
  if (patience) waiting.deadline = now + *patience;
  auto behind = its.queue.end();
  while (behind != its.queue.begin() && std::prev(behind)->priority > priority) --behind;
  its.queue.insert(behind, waiting);
  return true;
}

bool DynamicBatcher::cancel(RequestId id) {
  const auto found = levels_of_.find(id);
  if (found == levels_of_.end()) return false;
  Level& level = levels_.at(found->second);
  const auto is_it = [id](const Waiting& waiting) { return waiting.id == id; };
  std::erase_if(level.queue, is_it);
  std::erase_if(level.delayed, is_it);
  levels_of_.erase(found);
  return true;
}

std::size_t DynamicBatcher::size(std::uint64_t level) const {
  const auto found = levels_.find(level);
  if (found == levels_.end()) return 0;
  return found->second.queue.size() + found->second.delayed.size();
}

DynamicBatcher::Release DynamicBatcher::next(std::uint32_t places, Nanos now) {
  Release release;
  expire(now, release.expired);
  std::size_t left = batch_size(places, now);
  for (auto& [_, level] : levels_) {
    for (std::deque<Waiting>* queue : {&level.queue, &level.delayed}) {
      for (; left > 0 && !queue->empty(); --left) {
        release.batch.push_back(queue->front().id);
        levels_of_.erase(queue->front().id);
        queue->pop_front();
      }
    }
  }
  return release;
}

std::optional<Nanos> DynamicBatcher::wake_at(std::uint32_t places) const {
  std::optional<Nanos> first;
  const auto at = [&](Nanos time) { first = first ? std::min(*first, time) : time; };
  for (const auto& [_, level] : levels_) {
    for (const Waiting& waiting : level.queue) {
      if (waiting.deadline) at(*waiting.deadline + Nanos{1});
    }
  }
  if (const auto since = oldest(); since && places > 0) at(*since + delay_);
  return first;
}

// At its deadline somebody may still be served.
void DynamicBatcher::expire(Nanos now, std::vector<RequestId>& expired) {
  for (auto& [_, level] : levels_) {
    const auto has_passed = [now](const Waiting& waiting) {
      return waiting.deadline && *waiting.deadline < now;
    };
    for (Waiting& waiting : level.queue) {
      if (!has_passed(waiting)) continue;
      if (level.policy.delays) {
        level.delayed.push_back({.id = waiting.id, .since = waiting.since});
      } else {
        expired.push_back(waiting.id);
        levels_of_.erase(waiting.id);
      }
    }
    std::erase_if(level.queue, has_passed);
  }
}

// How many go now.
std::size_t DynamicBatcher::batch_size(std::uint32_t places, Nanos now) const {
  const std::size_t room = std::min(places, size_max_);
  const std::size_t ready = std::min(size(), room);
  if (ready == 0) return 0;
  const bool has_waited = now - *oldest() >= delay_;
  if (!has_waited || delay_ == Nanos{0}) {
    const auto& preferred = rules_.preferred;
    const auto above = std::upper_bound(preferred.begin(), preferred.end(), ready);
    if (above != preferred.begin()) return *std::prev(above);
  }
  return has_waited || ready == room ? ready : 0;
}

std::optional<Nanos> DynamicBatcher::oldest() const {
  std::optional<Nanos> oldest;
  for (const auto& [_, level] : levels_) {
    for (const std::deque<Waiting>* queue : {&level.queue, &level.delayed}) {
      for (const Waiting& waiting : *queue) {
        oldest = oldest ? std::min(*oldest, waiting.since) : waiting.since;
      }
    }
  }
  return oldest;
}

}  // namespace quire
