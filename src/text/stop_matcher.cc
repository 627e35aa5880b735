// StopMatcher: plain searches over the held text plus the new piece; both are short.
#include "text/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quire {

Result<StopMatcher> StopMatcher::create(std::vector<std::string> stops, bool include_stop) {
  if (stops.size() > kStopsMax) {
    return error(StatusCode::kInvalidArgument, "stop: {} strings, at most {} are allowed",
                 stops.size(), kStopsMax);
  }
  for (std::size_t i = 0; i < stops.size(); ++i) {
    if (stops[i].empty()) {
      return error(StatusCode::kInvalidArgument, "stop[{}]: the string is empty", i);
    }
    if (stops[i].size() > kStopSizeMax) {
      return error(StatusCode::kInvalidArgument, "stop[{}]: {} bytes, at most {} are allowed", i,
                   stops[i].size(), kStopSizeMax);
    }
  }
  return StopMatcher(std::move(stops), include_stop);
}

// The size of the longest end of `text` that begins some stop string.
std::size_t StopMatcher::held_size(std::string_view text) const {
  std::size_t longest = 0;
  for (const std::string& stop : stops_) {
    const std::string_view stop_view = stop;
    std::size_t size = std::min(text.size(), stop.size() - 1);
    while (size > longest && text.substr(text.size() - size) != stop_view.substr(0, size)) --size;
    longest = std::max(longest, size);
  }
  return longest;
}

std::string StopMatcher::append(std::string_view text) {
  if (match_) return {};
  held_ += text;
  std::size_t start_best = std::string::npos;
  std::size_t end_best = std::string::npos;
  std::size_t index_best = 0;
  for (std::size_t i = 0; i < stops_.size(); ++i) {
    const std::size_t start = held_.find(stops_[i]);
    if (start == std::string::npos) continue;
    const std::size_t end = start + stops_[i].size();
    if (end < end_best || (end == end_best && start < start_best)) {
      start_best = start;
      end_best = end;
      index_best = i;
    }
  }
  std::string released;
  if (start_best != std::string::npos) {
    match_ = StopMatch{index_best, released_size_ + start_best};
    released = held_.substr(0, include_stop_ ? end_best : start_best);
    held_.clear();
  } else {
    const std::size_t size = held_.size() - held_size(held_);
    released = held_.substr(0, size);
    held_.erase(0, size);
  }
  released_size_ += released.size();
  QUIRE_CHECK(held_.size() < kStopSizeMax, "{} bytes are held back, more than a stop string has",
              held_.size());
  return released;
}

std::string StopMatcher::flush() {
  released_size_ += held_.size();
  return std::exchange(held_, {});
}

}  // namespace quire
