// Inbox: the one door from other threads into the engine. Requests and cancellations gather here
// until the engine thread takes them all at once, between two steps; it sleeps here when there is
// nothing to do. Bounds: requests inside plus those taken but not yet admitted are at most
// waiting_max; a request is cancelled at most once while it lives; one question waits.
// Any thread, but take() and what stands below it: engine thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/status.h"
#include "core/request.h"

namespace quire {

class Inbox {
 public:
  explicit Inbox(std::uint32_t waiting_max) : waiting_max_(waiting_max) {}

  // kResourceExhausted: full. kUnavailable: closed. kInvalidArgument: the id is in use.
  Status submit(Request request);
  void cancel(RequestId id);  // unknown and ended ids are fine
  void close();               // no more requests
  void stop();                // close, and tell the engine thread to end
  bool is_idle() const;       // no request lives
  void ask(std::uint64_t question);  // to be looked at; a newer question replaces an older one

  struct Batch {
    std::vector<Request> requests;
    std::vector<RequestId> cancels;
    std::optional<std::uint64_t> question;
    bool is_stopping = false;
  };
  // Everything that came since; sleeps until there is something if `may_sleep`.
  Batch take(bool may_sleep);
  // After a step: how many of the taken requests still wait, and which have ended.
  void report(std::uint32_t waiting, std::span<const RequestId> ended);

 private:
  const std::uint32_t waiting_max_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  Batch batch_;
  std::set<RequestId> live_;
  std::set<RequestId> cancelled_;  // of those
  std::uint32_t waiting_ = 0;      // taken, not admitted
  bool is_closed_ = false;
};

}  // namespace quire
