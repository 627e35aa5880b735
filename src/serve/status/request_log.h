// RequestLog: the records of the requests that are alive and of those that finished last, found by
// the engine's ids while they run and by the client's ids afterwards.
// Bounds: kFinishedMax finished requests whose events are together at most kEventsKeptMax (about
// 5 MB); the oldest go first. Those alive are as many as the engines let in and queue. I/O thread.
// Used by chronicle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "serve/status/request_record.h"

namespace quire {

class RequestLog {
 public:
  static constexpr std::size_t kFinishedMax = 256;
  static constexpr std::size_t kEventsKeptMax = 32'768;

  struct Place {
    RequestRecord* record = nullptr;  // null: not here, or not here any more
    std::size_t prompt = 0;
  };

  RequestRecord& add(AcceptedRequest accepted);
  Place find(RequestId request) const;
  void finish(RequestRecord& record);  // it has finished; the oldest may be forgotten

  const RequestRecord* at(std::uint64_t serial) const;  // or null
  // By the answer's id or the x-request-id; of several the newest. Null: there is none.
  const RequestRecord* find(std::string_view id) const;
  const std::map<std::uint64_t, RequestRecord>& records() const { return records_; }

 private:
  void forget_oldest();

  std::uint64_t serials_ = 0;
  std::map<std::uint64_t, RequestRecord> records_;
  std::unordered_map<RequestId, Place> places_;  // of every record
  std::deque<std::uint64_t> finished_;           // oldest first
  std::size_t events_kept_ = 0;                  // of those
};

}  // namespace quire
