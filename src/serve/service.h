// Service: between HTTP exchanges and engines. A request is parsed, rendered and tokenized on a
// worker thread, submitted, and its events are written to its exchange as they come: one message
// from the engine thread to the I/O thread per step, not per token. A client that leaves, or reads
// so slowly that its bounded buffer overflows, cancels its requests.
// I/O thread, but for the engines' events, which arrive on their threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "serve/call.h"
#include "serve/http/exchange.h"
#include "serve/metrics.h"

namespace quire {

class Service {
 public:
  // Runs a function on the I/O thread, or on some worker thread.
  using Post = std::function<void(std::function<void()>)>;

  Service(ModelHost& host, Metrics& metrics, Post to_io, Post to_workers);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service();

  // Answers the exchange, now or later. `dialect` and what `context` points to outlive this object.
  void answer(std::shared_ptr<Exchange> exchange, const Dialect& dialect,
              const DialectContext& context);

  void drain();  // what runs goes on; what comes is refused
  bool is_draining() const { return is_draining_; }
  std::size_t calls() const { return parsing_ + active_; }  // not yet answered

  // Work that is pending makes progress.
  bool is_alive(Nanos now) const;

 private:
  struct ActiveCall;
  struct Place {  // of one engine request
    std::shared_ptr<ActiveCall> call;
    std::size_t index = 0;
  };

  void begin(std::shared_ptr<Exchange> exchange, const Dialect& dialect, Parsed<Call> parsed,
             Nanos arrived);
  void submit(const std::shared_ptr<ActiveCall>& call);
  void receive(StepEvents step);  // engine threads
  void take_steps();
  void take(const std::shared_ptr<ActiveCall>& call, std::size_t index, const TokenEvent& event);
  void time_tokens(ActiveCall& call, std::size_t index, const TokenEvent& event);
  void flush(const std::shared_ptr<ActiveCall>& call);
  void fail(const std::shared_ptr<ActiveCall>& call, const ApiError& error);
  void abandon(const std::shared_ptr<ActiveCall>& call);  // the client is gone
  void forget(ActiveCall& call);                          // cancels what still runs of it

  ModelHost* host_;
  Metrics* metrics_;
  Post to_io_, to_workers_;

  std::unordered_map<RequestId, Place> places_;
  std::uint64_t requests_ = 0;  // ids given out
  std::size_t parsing_ = 0;
  std::size_t active_ = 0;
  Nanos busy_since_{0};         // when there was last nothing to do
  bool is_draining_ = false;

  std::mutex mutex_;
  std::vector<StepEvents> steps_;  // guarded by mutex_; at most what the running requests can bring
};

}  // namespace quire
