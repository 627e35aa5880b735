// SpanExporter: sends spans to an OpenTelemetry collector over OTLP/HTTP as JSON, from a thread of
// its own: up to kBatchMax at once, kDelay after the first at the latest. A collector that is away
// or busy (408, 429, most of 5xx) is asked again twice, as it wishes; meanwhile kQueueMax spans
// wait, and what comes beyond is dropped and counted. No request ever waits for it. When it ends it
// tries to send what is left, until the first failure.
// take(): any thread. Used by serve.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/message.h"
#include "serve/trace/otlp_json.h"

namespace quire {

struct SpanExporterOptions {
  std::string url;                   // where the spans are posted to
  std::vector<std::string> headers;  // "Name: value"
  SpanResource resource;
  std::chrono::milliseconds delay{1000};
  net::Limits limits = {.connect_seconds = 5, .slow_seconds = 10, .attempts_max = 3,
                        .wait_max = std::chrono::seconds(30)};
};

class SpanExporter final : public SpanSink {
 public:
  static constexpr std::size_t kQueueMax = 4096, kBatchMax = 512;  // spans

  explicit SpanExporter(SpanExporterOptions options);
  ~SpanExporter() override;

  void take(std::vector<TraceSpan> spans) override;
  void on_fate(std::function<void(SpanFate, std::size_t)> callback) override;

 private:
  void run();
  std::vector<TraceSpan> next_batch(bool& is_last);
  bool send(const std::vector<TraceSpan>& batch, bool is_last);  // false: it is away
  void drop_the_rest();
  void tell(SpanFate fate, std::size_t count);

  const SpanExporterOptions options_;
  std::atomic<bool> is_ending_{false};
  bool is_away_ = false;  // of the thread: it has said so
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<TraceSpan> queue_;                               // guarded by mutex_
  std::function<void(SpanFate, std::size_t)> on_fate_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace quire
