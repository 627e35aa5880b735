#include "engine/door/common_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quire {

// A deadline is one of its turn here, as with one instance (EngineCore::submit).
void CommonQueue::add(Request request, const QueueTurn& turn) {
  std::optional<Nanos> timeout;
  if (request.deadline) timeout = std::max(*request.deadline - turn.arrived, Nanos{0});
  request.deadline.reset();
  const RequestId id = request.id;
  const int priority = rules_.levels > 0 ? 0 : request.priority;  // else it is the level
  const bool has_room =
      batcher_.offer(id, rules_.level_of(request.priority), timeout, turn, priority);
  QUIRE_CHECK(has_room, "request {} was let into a queue that is full", id.value);
  requests_.emplace(id, std::move(request));
}

Request CommonQueue::release(RequestId id) {
  auto node = requests_.extract(id);
  QUIRE_CHECK(!node.empty(), "request {} has its turn and does not wait", id.value);
  return std::move(node.mapped());
}

std::optional<Request> CommonQueue::take(RequestId id) {
  if (!batcher_.cancel(id)) return std::nullopt;
  return release(id);
}

std::vector<Request> CommonQueue::take_all() {
  std::vector<Request> all;
  while (!requests_.empty()) all.push_back(*take(requests_.begin()->first));
  return all;
}

CommonQueue::Turn CommonQueue::next(std::uint32_t places, Nanos now) {
  DynamicBatcher::Release release_now = batcher_.next(places, now);
  Turn turn{.requests = {}, .expired = std::move(release_now.expired),
            .has_batch = !release_now.batch.empty()};
  for (const RequestId id : turn.expired) turn.requests.push_back(release(id));
  for (const RequestId id : release_now.batch) turn.requests.push_back(release(id));
  return turn;
}

}  // namespace quire
