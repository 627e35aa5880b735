// StopMatcher: finds the first stop string in a text that arrives in pieces, and holds back what
// may yet turn out to be one. "First" is the match that ends first; of those the longest. Once
// matched, nothing more is released. What is held is shorter than the longest stop string, so
// memory and the work per piece are bounded. Works on bytes; pieces and stop strings are whole
// UTF-8, so what is released is too. One sequence, one thread. Used by the engine inside commit.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace quire {

struct StopMatch {
  std::size_t stop_index;  // in the list given
  std::size_t position;    // bytes of text before the stop string
};

class StopMatcher {
 public:
  static constexpr std::size_t kStopsMax = 64;
  static constexpr std::size_t kStopSizeMax = 4096;  // bytes

  // With include_stop the stop string itself is released as well. An empty stop string, or more or
  // longer ones than the limits, is an error. No stop strings at all is fine: nothing is held.
  static Result<StopMatcher> create(std::vector<std::string> stops, bool include_stop);

  // The text that can be shown now.
  std::string append(std::string_view text);

  // The end of the text: what was held is no stop string after all.
  std::string flush();

  const std::optional<StopMatch>& match() const { return match_; }

 private:
  StopMatcher(std::vector<std::string> stops, bool include_stop)
      : stops_(std::move(stops)), include_stop_(include_stop) {}
  std::size_t held_size(std::string_view text) const;

  std::vector<std::string> stops_;
  bool include_stop_;
  std::string held_;
  std::size_t released_size_ = 0;  // bytes
  std::optional<StopMatch> match_;
};

}  // namespace quire
