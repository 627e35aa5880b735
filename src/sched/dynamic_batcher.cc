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
                           const QueueTurn& turn, int priority) {
  const auto [place, is_first] = levels_.try_emplace(level);
  Level& its = place->second;
  if (is_first) its.policy = rules_.policy_of(level);
  const QueuePolicy& policy = its.policy;
  if (turn.counts && policy.size_max > 0 && its.counted >= policy.size_max) return false;
  std::optional<Nanos> patience;
  if (policy.timeout_us > 0) patience = from_micros(policy.timeout_us);
  if (policy.may_override && timeout && (!patience || *timeout < *patience)) patience = timeout;
  Waiting waiting{.level = level, .order = {false, priority, ++numbers_}, .since = turn.arrived,
                  .counts = turn.counts};
  if (patience) waiting.deadline = turn.arrived + *patience;
  const bool is_new = waiting_.emplace(id, waiting).second;
  QUIRE_CHECK(is_new, "request {} waits twice", id.value);
  its.queue.emplace(waiting.order, id);
  if (waiting.deadline) its.deadlines.emplace(*waiting.deadline, id);
  since_.emplace(waiting.since, id);
  its.counted += waiting.counts ? 1 : 0;
  return true;
}

void DynamicBatcher::leave(Place place) {
  const auto& [id, waiting] = *place;
  Level& level = levels_.at(waiting.level);
  level.queue.erase(waiting.order);
  if (waiting.deadline) level.deadlines.erase({*waiting.deadline, id});
  since_.erase({waiting.since, id});
  level.counted -= waiting.counts ? 1 : 0;
  waiting_.erase(place);
}

bool DynamicBatcher::cancel(RequestId id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return false;
  leave(found);
  return true;
}

std::size_t DynamicBatcher::size(std::uint64_t level) const {
  const auto found = levels_.find(level);
  return found == levels_.end() ? 0 : found->second.queue.size();
}

DynamicBatcher::Release DynamicBatcher::next(std::uint32_t places, Nanos now) {
  Release release;
  expire(now, release.expired);
  std::size_t left = batch_size(places, now);
  for (auto& [_, level] : levels_) {
    for (; left > 0 && !level.queue.empty(); --left) {
      release.batch.push_back(level.queue.begin()->second);
      leave(waiting_.find(release.batch.back()));
    }
  }
  return release;
}

std::optional<Nanos> DynamicBatcher::wake_at(std::uint32_t places) const {
  std::optional<Nanos> first;
  const auto at = [&](Nanos time) { first = first ? std::min(*first, time) : time; };
  for (const auto& [_, level] : levels_) {
    if (!level.deadlines.empty()) at(level.deadlines.begin()->first + Nanos{1});
  }
  if (!since_.empty() && places > 0) at(since_.begin()->first + delay_);
  return first;
}

void DynamicBatcher::delay(Level& level, RequestId id) {
  Waiting& waiting = waiting_.at(id);
  level.queue.erase(waiting.order);
  level.deadlines.erase({*waiting.deadline, id});
  waiting.deadline.reset();
  waiting.order = {true, 0, ++numbers_};
  level.queue.emplace(waiting.order, id);
}

// At its deadline somebody may still be served. Those who are late together stay in their order.
void DynamicBatcher::expire(Nanos now, std::vector<RequestId>& expired) {
  for (auto& [_, level] : levels_) {
    std::map<Order, RequestId> late;
    for (const auto& [deadline, id] : level.deadlines) {
      if (deadline >= now) break;
      late.emplace(waiting_.at(id).order, id);
    }
    for (const auto& [order, id] : late) {
      if (level.policy.delays) {
        delay(level, id);
      } else {
        expired.push_back(id);
        leave(waiting_.find(id));
      }
    }
  }
}

// How many go now.
std::size_t DynamicBatcher::batch_size(std::uint32_t places, Nanos now) const {
  const std::size_t room = std::min(places, size_max_);
  const std::size_t ready = std::min(size(), room);
  if (ready == 0) return 0;
  const bool has_waited = now - since_.begin()->first >= delay_;
  if (!has_waited || delay_ == Nanos{0}) {
    const auto& preferred = rules_.preferred;
    const auto above = std::upper_bound(preferred.begin(), preferred.end(), ready);
    if (above != preferred.begin()) return *std::prev(above);
  }
  return has_waited || ready == room ? ready : 0;
}

}  // namespace quire
