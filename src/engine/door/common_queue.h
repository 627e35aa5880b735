// CommonQueue: the one queue of a model with several instances: requests that wait for company, and
// the DynamicBatcher that says whose turn it is. Whichever instance has places takes the next batch
// out of it, so that order, levels, sizes and timeouts are the model's and no instance's. (With one
// instance its EngineCore holds them itself.)
// No lock of its own: used by engine/door/inbox, under the inbox's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/nanos.h"
#include "core/batching.h"
#include "core/request.h"
#include "sched/dynamic_batcher.h"

namespace quire {

class CommonQueue {
 public:
  // `batch_max`: of one instance.
  CommonQueue(const DynamicBatching& rules, std::uint32_t batch_max)
      : rules_(rules), batcher_(rules, batch_max) {}

  // REQUIRES: it does not wait already, and its level has room.
  void add(Request request, const QueueTurn& turn);
  std::optional<Request> take(RequestId id);  // who leaves; absent: he does not wait
  std::vector<Request> take_all();

  struct Turn {
    std::vector<Request> requests;   // in the order of service
    std::vector<RequestId> expired;  // of these, who waited too long
    bool has_batch = false;          // there may be another
  };
  Turn next(std::uint32_t places, Nanos now);
  std::optional<Nanos> wake_at(std::uint32_t places) const { return batcher_.wake_at(places); }
  void stop_waiting() { batcher_.stop_waiting(); }
  std::size_t size() const { return requests_.size(); }

 private:
  Request release(RequestId id);

  DynamicBatching rules_;
  DynamicBatcher batcher_;
  std::map<RequestId, Request> requests_;
};

}  // namespace quire
