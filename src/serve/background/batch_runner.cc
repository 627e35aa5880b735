#include "serve/background/batch_runner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace quire {
namespace {

constexpr std::int64_t kFetchedAtOnce = 64;          // lines
constexpr std::chrono::milliseconds kTick{100};      // while there is something to do

// The server's own state, which is over later: busy, draining, loading, no disk.
bool is_passing(int status) { return status == 429 || status == 503; }

}  // namespace

void BatchRunner::start() {
  ++writing_;
  ports_.to_workers([this] {
    auto left = std::make_shared<Result<std::vector<archive::KeptBatch>>>(shelf_.unfinished());
    ports_.to_io([this, left] {
      --writing_;
      if (!left->is_ok()) return spdlog::warn("batches: {}", left->status().message());
      for (archive::KeptBatch& batch : **left) adopt(std::move(batch));
      pump();
    });
  });
}

void BatchRunner::add(archive::KeptBatch batch) {
  ports_.to_io([this, batch = std::move(batch)]() mutable {
    adopt(std::move(batch));
    pump();
  });
}

void BatchRunner::cancel(archive::KeptBatch batch) {
  ports_.to_io([this, batch = std::move(batch)] {
    for (const RunningBatch& running : std::list(batches_)) {
      if (running->batch.id != batch.id || running->is_closing) continue;
      running->batch.body = batch.body;
      stop(running, "cancelled");
    }
    pump();
  });
}

void BatchRunner::adopt(archive::KeptBatch batch) {
  const bool is_known = std::any_of(batches_.begin(), batches_.end(), [&](const auto& running) {
    return running->batch.id == batch.id;
  });
  if (is_known) return;
  auto running = std::make_shared<Running>();
  if (batch.state == "cancelling") running->end = "cancelled";
  running->batch = std::move(batch);
  batches_.push_back(std::move(running));
}

void BatchRunner::tick() {
  if (std::exchange(is_ticking_, true)) return;
  ports_.run_after(kTick, [this] {
    is_ticking_ = is_waiting_ = false;
    pump();
  });
}

std::size_t BatchRunner::room() const {
  const std::size_t all = ports_.calls();
  const bool has_clients = all > asked_;
  const std::size_t most = has_clients ? kLinesBesideClients : kLinesAtOnce;
  return most > asked_ ? most - asked_ : 0;
}

void BatchRunner::pump() {
  if (is_draining_) return;
  expire();
  if (!is_waiting_) {
    while (room() > 0) {
      const RunningBatch batch = next_ready();
      if (batch == nullptr) break;
      ask(batch);
    }
  }
  for (const RunningBatch& batch : std::list(batches_)) {
    const bool is_over = !batch->end.empty() || (batch->has_all && batch->next.empty());
    if (is_over && batch->open == 0 && !batch->is_closing && !batch->is_fetching) close(batch);
  }
  if (!batches_.empty()) tick();
}

// Batches take turns, a line each; those that run out of lines get more.
BatchRunner::RunningBatch BatchRunner::next_ready() {
  for (std::size_t i = 0; i < batches_.size(); ++i) {
    const RunningBatch batch = batches_.front();
    batches_.splice(batches_.end(), batches_, batches_.begin());
    if (!batch->end.empty() || batch->is_closing) continue;
    if (batch->next.empty() && !batch->has_all) fetch(batch);
    if (!batch->next.empty()) return batch;
  }
  return nullptr;
}

void BatchRunner::fetch(const RunningBatch& batch) {
  if (std::exchange(batch->is_fetching, true)) return;
  ++writing_;
  ports_.to_workers([this, batch, after = batch->fetched] {
    auto lines = std::make_shared<Result<std::vector<archive::BatchLine>>>(
        shelf_.open_lines(batch->batch.id, after, kFetchedAtOnce));
    ports_.to_io([this, batch, lines] {
      --writing_;
      batch->is_fetching = false;
      if (!lines->is_ok()) {
        spdlog::warn("batches: {}", lines->status().message());
        is_waiting_ = true;
        return tick();
      }
      batch->has_all = (*lines)->size() < static_cast<std::size_t>(kFetchedAtOnce);
      for (archive::BatchLine& line : **lines) {
        batch->fetched = line.number;
        batch->next.push_back(std::move(line));
      }
      pump();
    });
  });
}

void BatchRunner::ask(const RunningBatch& batch) {
  archive::BatchLine line = std::move(batch->next.front());
  batch->next.pop_front();
  constexpr std::size_t kPendingMax = std::size_t{1} << 20;  // of a stream, which it is not
  auto exchange = std::make_shared<http::Exchange>(format_->request_of(line), kPendingMax);
  ++batch->open;
  ++asked_;
  batch->exchanges.push_back(exchange);
  exchange->on_output([this, batch, line, weak = std::weak_ptr(exchange)] {
    const auto answered = weak.lock();
    // The exchange calls from within itself: what follows runs when it is done with that.
    if (answered != nullptr) {
      ports_.to_io([this, batch, line, answered] { take_answer(batch, line, answered); });
    }
  });
  const Tenant tenant{.name = batch->batch.tenant, .share = batch->batch.share,
                      .gives_way = true};
  ports_.ask_inside(std::move(exchange), tenant);
}

void BatchRunner::take_answer(const RunningBatch& batch, const archive::BatchLine& line,
                              const std::shared_ptr<http::Exchange>& exchange) {
  const auto held = std::find(batch->exchanges.begin(), batch->exchanges.end(), exchange);
  if (held == batch->exchanges.end()) return;  // it was taken already
  batch->exchanges.erase(held);
  --asked_;
  if (exchange->is_gone() || !exchange->is_whole()) {  // stopped
    --batch->open;
    return pump();
  }
  http::Response answer = exchange->head();
  answer.body = exchange->take_pending();
  if (is_passing(answer.status)) {
    put_back(batch, line);
    return pump();
  }
  ++writing_;
  ports_.to_workers([this, batch, line, exchange, answer = std::move(answer)] {
    const Status status =
        shelf_.answer_line(batch->batch.id, line.number, answer.status >= 400,
                           format_->answer_of(line, exchange->request(), answer));
    ports_.to_io([this, batch, line, status, exchange] {
      --writing_;
      if (status.is_ok()) {
        --batch->open;
      } else {
        spdlog::warn("batches: {}", status.message());
        put_back(batch, line);
      }
      pump();
    });
  });
}

void BatchRunner::put_back(const RunningBatch& batch, const archive::BatchLine& line) {
  --batch->open;
  batch->next.push_front(line);
  is_waiting_ = true;
}

void BatchRunner::expire() {
  const std::int64_t now = SteadyClock::unix_seconds();
  for (const RunningBatch& batch : std::list(batches_)) {
    const bool is_late = batch->batch.expires > 0 && now >= batch->batch.expires;
    if (is_late && batch->end.empty() && !batch->is_closing) stop(batch, "expired");
  }
}

void BatchRunner::stop(const RunningBatch& batch, std::string end) {
  batch->end = std::move(end);
  batch->next.clear();
  for (const auto& exchange : std::list(batch->exchanges)) exchange->leave();
}

void BatchRunner::close(const RunningBatch& batch) {
  batch->is_closing = true;
  ++writing_;
  ports_.to_workers([this, batch] {
    archive::KeptBatch closed = batch->batch;
    closed.state = batch->end.empty() ? "completed" : batch->end;
    closed.is_finished = true;
    std::function<std::string(const archive::BatchLine&)> unanswered;
    if (closed.state == "expired") unanswered = format_->expired_line;
    const Status status = shelf_.close(closed, format_->file_of(closed, false),
                                       format_->file_of(closed, true), unanswered,
                                       format_->settle);
    ports_.to_io([this, batch, status] {
      --writing_;
      if (status.is_ok()) return batches_.remove(batch), pump();
      spdlog::warn("batches: {}", status.message());
      batch->is_closing = false;
      is_waiting_ = true;
      tick();
    });
  });
}

}  // namespace quire
