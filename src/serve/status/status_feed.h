// StatusFeed: answers GET /quire/status and feeds its stream. Somebody who looks starts a round:
// the engines are asked for a look inside, and when all have answered, or after a quarter of a
// second, one snapshot goes to everybody who waits. With nobody looking there are no rounds and no
// timer.
//
// Bounds: kWatchersMax streams, kWaitingMax waiting for one snapshot, more are refused; one round
// at a time; the engines are asked at most twice a second, in between their last answers are
// shown again; what a client does not read of its stream is bounded by its exchange. I/O thread.
// Used by routes and server.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/model_host.h"
#include "serve/http/exchange.h"
#include "serve/metrics.h"
#include "serve/status/status_json.h"

namespace quire {

class StatusFeed {
 public:
  static constexpr std::size_t kWatchersMax = 16;
  static constexpr std::size_t kWaitingMax = 64;

  // Runs a function later, on the I/O thread, unless the server ends before.
  using After = std::function<void(std::chrono::milliseconds, std::function<void()>)>;

  StatusFeed(std::string version, const ModelHost& host, Chronicle& chronicle, Metrics& metrics,
             After after);
  StatusFeed(const StatusFeed&) = delete;
  StatusFeed& operator=(const StatusFeed&) = delete;
  ~StatusFeed() { chronicle_->on_answer(nullptr); }

  void show(std::shared_ptr<http::Exchange> exchange);   // one snapshot
  void watch(std::shared_ptr<http::Exchange> exchange);  // one a second
  void drain();                                    // the streams end; none begins any more

  const RequestLog& requests() const { return chronicle_->requests(); }
  std::size_t watchers() const { return watchers_.size(); }

 private:
  void begin_round();
  void end_round_if_answered();
  void end_round();
  void tick();
  void forget(const http::Exchange* exchange);

  ServerFacts server_;
  const ModelHost* host_;
  Chronicle* chronicle_;
  Metrics* metrics_;
  After after_;

  std::vector<std::shared_ptr<http::Exchange>> waiting_, watchers_;
  std::uint64_t rounds_ = 0;
  bool is_asking_ = false;
  bool is_ticking_ = false;
  Nanos asked_at_{0};
  std::vector<std::string> asked_;  // models; those in memory
};

}  // namespace quire
