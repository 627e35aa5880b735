#include "lab/load/sse_reader.h"

namespace quire {

std::vector<std::string> SseReader::feed(std::string_view piece) {
  std::vector<std::string> events;
  for (const char c : piece) {
    if (c != '\n') {
      if (line_.size() < kLineMax) line_ += c;
      continue;
    }
    if (line_.ends_with('\r')) line_.pop_back();
    if (line_.empty() && has_data_) {
      events.push_back(std::move(data_));
      data_.clear();
      has_data_ = false;
    } else if (line_.starts_with("data:")) {
      if (has_data_ && data_.size() < kLineMax) data_ += '\n';
      if (data_.size() < kLineMax) data_ += line_.substr(line_.starts_with("data: ") ? 6 : 5);
      has_data_ = true;
    }
    line_.clear();
  }
  return events;
}

}  // namespace quire
