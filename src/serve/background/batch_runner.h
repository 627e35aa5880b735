// BatchRunner: answers the lines of batches in the time that nobody else wants. A line goes through
// the same front door as a client's request, as one of its tenant that gives way to all others:
// several at once while no client waits, one beside clients. Its answer and the mark that it has
// one are written together (archive/batch_shelf), so that whenever the process ends, the next one
// goes on with what is left. A line that was turned away for now is asked again later; so is a
// disk. I/O thread, but for add() and cancel(), which any thread may call. Made by Server; used by
// dialects.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "archive/batch_shelf.h"
#include "serve/http/exchange.h"
#include "serve/intake/tenant.h"

namespace quire {

// How a protocol writes lines and batches. Worker threads.
struct BatchFormat {
  http::Request (*request_of)(const archive::BatchLine& line);
  std::string (*answer_of)(const archive::BatchLine& line, const http::Request& request,
                           const http::Response& answer);
  // The error of a line that has no answer when the time is over.
  std::string (*expired_line)(const archive::BatchLine& line);
  // Names and ids of the files; `batch.state` is "completed", "cancelled" or "expired".
  archive::KeptFile (*file_of)(const archive::KeptBatch& batch, bool is_errors);
  void (*settle)(archive::KeptBatch& batch, const archive::KeptFile& output,
                 const archive::KeptFile& errors, archive::BatchCounts counts);
};

class BatchRunner {
 public:
  static constexpr std::size_t kLinesAtOnce = 8;
  static constexpr std::size_t kLinesBesideClients = 1;

  struct Ports {
    std::function<void(std::function<void()>)> to_io, to_workers;
    std::function<void(std::chrono::milliseconds, std::function<void()>)> run_after;
    std::function<void(std::shared_ptr<http::Exchange>, const Tenant&)> ask_inside;
    std::function<std::size_t()> calls;  // not yet answered, ours among them
  };

  BatchRunner(archive::Archive& archive, const BatchFormat& format, Ports ports)
      : shelf_(archive), format_(&format), ports_(std::move(ports)) {}

  archive::BatchShelf& shelf() { return shelf_; }

  void start();                        // goes on with what an earlier process left
  void add(archive::KeptBatch batch);  // which is on the shelf already
  void cancel(archive::KeptBatch batch);
  void drain() { is_draining_ = true; }  // no more lines; those under way end
  bool is_busy() const { return asked_ > 0 || writing_ > 0; }

 private:
  struct Running {
    archive::KeptBatch batch;
    std::deque<archive::BatchLine> next;
    std::int64_t fetched = 0;  // the last line's number
    bool is_fetching = false, has_all = false;
    std::string end;  // "cancelled", "expired": no more lines
    bool is_closing = false;
    std::size_t open = 0;  // lines under way, or whose answer is being written
    std::list<std::shared_ptr<http::Exchange>> exchanges;
  };
  using RunningBatch = std::shared_ptr<Running>;

  void adopt(archive::KeptBatch batch);
  void pump();
  void tick();
  std::size_t room() const;
  RunningBatch next_ready();
  void fetch(const RunningBatch& batch);
  void ask(const RunningBatch& batch);
  void take_answer(const RunningBatch& batch, const archive::BatchLine& line,
                   const std::shared_ptr<http::Exchange>& exchange);
  void put_back(const RunningBatch& batch, const archive::BatchLine& line);
  void expire();
  void stop(const RunningBatch& batch, std::string end);
  void close(const RunningBatch& batch);

  archive::BatchShelf shelf_;
  const BatchFormat* format_;
  Ports ports_;
  std::list<RunningBatch> batches_;  // the next one to get a line first
  std::size_t asked_ = 0;            // lines that the front door has
  std::size_t writing_ = 0;          // jobs on worker threads
  bool is_ticking_ = false;
  bool is_waiting_ = false;  // something was turned away: only the next tick goes on
  bool is_draining_ = false;
};

}  // namespace quire
