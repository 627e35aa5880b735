#include "serve/status/request_log.h"

#include <algorithm>
#include <utility>

namespace quire {

RequestRecord& RequestLog::add(AcceptedRequest accepted) {
  const std::uint64_t serial = ++serials_;
  RequestRecord& record = records_.try_emplace(serial, serial, std::move(accepted)).first->second;
  const std::vector<RequestId>& requests = record.accepted().requests;
  for (std::size_t i = 0; i < requests.size(); ++i) places_[requests[i]] = {&record, i};
  return record;
}

RequestLog::Place RequestLog::find(RequestId request) const {
  const auto it = places_.find(request);
  return it == places_.end() ? Place{} : it->second;
}

void RequestLog::finish(RequestRecord& record) {
  finished_.push_back(record.serial());
  events_kept_ += record.event_count();
  while (finished_.size() > kFinishedMax || events_kept_ > kEventsKeptMax) forget_oldest();
}

void RequestLog::forget_oldest() {
  const auto it = records_.find(finished_.front());
  finished_.pop_front();
  events_kept_ -= it->second.event_count();
  for (const RequestId request : it->second.accepted().requests) places_.erase(request);
  records_.erase(it);
}

const RequestRecord* RequestLog::at(std::uint64_t serial) const {
  const auto it = records_.find(serial);
  return it == records_.end() ? nullptr : &it->second;
}

const RequestRecord* RequestLog::find(std::string_view id) const {
  const auto it = std::find_if(records_.rbegin(), records_.rend(), [&](const auto& entry) {
    const AcceptedRequest& accepted = entry.second.accepted();
    return accepted.id == id || accepted.request_id == id;
  });
  return it == records_.rend() ? nullptr : &it->second;
}

}  // namespace quire
