#include "apps/traces/span_exporter.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "net/client.h"

namespace quire {
namespace {

constexpr std::chrono::seconds kTimeMax{10};  // of one attempt

}  // namespace

SpanExporter::SpanExporter(SpanExporterOptions options)
    : options_(std::move(options)), thread_([this] { run(); }) {}

SpanExporter::~SpanExporter() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void SpanExporter::take(std::vector<TraceSpan> spans) {
  std::size_t dropped = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t room = std::min(spans.size(), kQueueMax - queue_.size());
    std::move(spans.begin(), spans.begin() + static_cast<std::ptrdiff_t>(room),
              std::back_inserter(queue_));
    dropped = spans.size() - room;
  }
  changed_.notify_all();
  if (dropped > 0) tell(SpanFate::kDropped, dropped);
}

void SpanExporter::on_fate(std::function<void(SpanFate, std::size_t)> callback) {
  const std::lock_guard lock(mutex_);
  on_fate_ = std::move(callback);
}

void SpanExporter::tell(SpanFate fate, std::size_t count) {
  const std::lock_guard lock(mutex_);
  if (on_fate_ && count > 0) on_fate_(fate, count);
}

// Empty: it ends.
std::vector<TraceSpan> SpanExporter::next_batch(bool& is_last) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_ending_ || !queue_.empty(); });
  changed_.wait_for(lock, options_.delay,
                    [this] { return is_ending_ || queue_.size() >= kBatchMax; });
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), kBatchMax));
  std::vector<TraceSpan> batch(std::move_iterator(queue_.begin()),
                          std::move_iterator(queue_.begin() + count));
  queue_.erase(queue_.begin(), queue_.begin() + count);
  is_last = is_ending_;
  return batch;
}

void SpanExporter::run() {
  for (;;) {
    bool is_last = false;
    const std::vector<TraceSpan> batch = next_batch(is_last);
    if (batch.empty()) return;
    if (!send(batch, is_last) && is_last) return drop_the_rest();
  }
}

void SpanExporter::drop_the_rest() {
  std::size_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = queue_.size();
    queue_.clear();
  }
  tell(SpanFate::kDropped, count);
}

// A collector that is away is told of once, and once when it is there again.
bool SpanExporter::send(const std::vector<TraceSpan>& batch, bool is_last) {
  static const std::atomic<bool> kNever{false};
  net::Limits limits = options_.limits;
  if (is_last) limits.attempts_max = 1;
  if (!is_last) limits.stop = &is_ending_;  // ends the waiting, and no attempt that is under way
  net::Client client(limits, &kNever);
  const auto answer = client.send_patiently({.url = options_.url,
                                             .headers = options_.headers,
                                             .json = otlp_body(options_.resource, batch),
                                             .time_max = kTimeMax});
  if (answer.is_ok() && answer->is_success()) {
    if (std::exchange(is_away_, false)) {
      spdlog::info("the collector at {} takes spans again", options_.url);
    }
    tell(SpanFate::kSent, batch.size());
    return true;
  }
  const bool is_refused = answer.is_ok() && !answer->is_passing();
  if (!std::exchange(is_away_, true)) {
    spdlog::warn("the collector at {} {}; spans are lost until it takes them "
                 "(--otlp-traces-endpoint)", options_.url,
                 answer.is_ok() ? fmt::format("answers {}", answer->status)
                                : fmt::format("is away: {}", client.failure()));
  }
  tell(is_refused ? SpanFate::kRefused : SpanFate::kDropped, batch.size());
  return is_refused;
}

}  // namespace quire
