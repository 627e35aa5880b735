// SseReader: takes a stream of server-sent events in pieces of any size and hands out the data of
// each event, whole. Only what OpenAI-compatible servers send: `data:` lines, blank lines between
// events, comments. Any thread, one stream.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

class SseReader {
 public:
  // The data of the events that `piece` completes, in order.
  std::vector<std::string> feed(std::string_view piece);

 private:
  static constexpr std::size_t kLineMax = std::size_t{1} << 20;  // longer ones are cut off

  std::string line_;  // not yet ended
  std::string data_;  // of the event whose blank line has not come
  bool has_data_ = false;
};

}  // namespace quire
