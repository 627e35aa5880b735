// Report: lines of how far something is, to a client on the I/O thread, from the thread of an
// errand; the last of them is the whole answer where the client wants no stream.
// One errand's thread, but begin_report: the I/O thread's. Used by transfers and push.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "serve/house.h"
#include "serve/http/exchange.h"

namespace quire {

class Report {
 public:
  // `is_gone` becomes true when the client takes no more.
  Report(const House& house, std::shared_ptr<http::Exchange> exchange, bool is_stream,
         std::shared_ptr<std::atomic<bool>> is_gone);

  void line(Json json) const;
  // The last line, or the whole answer. The exchange goes with it, to end on the I/O thread.
  void end(const Json& json, int status);

 private:
  std::function<void(std::function<void()>)> to_io_;
  std::shared_ptr<http::Exchange> exchange_;
  bool is_stream_;
  std::shared_ptr<std::atomic<bool>> is_gone_;
};

// The head of a stream, before its lines, and whom to tell when the client leaves.
void begin_report(http::Exchange& exchange, bool is_stream,
                  std::shared_ptr<std::atomic<bool>> is_gone);

// {"status":...,"digest":"sha256:...","total":...,"completed":...}; of these what is known.
Json progress_json(const std::string& status, const std::string& hex, std::uint64_t total,
                   std::uint64_t completed);

}  // namespace quire
