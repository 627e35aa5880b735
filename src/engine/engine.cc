#include "engine/engine.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "engine/engine_core.h"
#include "engine/inbox.h"

namespace quire {

struct Engine::State {
  State(const EngineOptions& options, std::unique_ptr<Executor> executor_given,
        std::shared_ptr<const Tokenizer> tokenizer, EventSink sink_given)
      : executor(std::make_unique<TimedExecutor>(std::move(executor_given), timer)),
        core(options, *executor, std::move(tokenizer)),
        inbox(options.queue_max, options.batching),
        sink(std::move(sink_given)),
        snapshot(core.stats()) {}

  void run();
  void take_in(Inbox::Batch batch);
  void let_in();
  void tell_held();
  void answer(std::uint64_t question);
  void publish(StepEvents events);

  PhaseTimer timer;
  std::unique_ptr<Executor> executor;
  EngineCore core;  // the engine thread's; check() is for all
  Inbox inbox;
  EventSink sink;
  std::size_t held_told = 0;  // of the engine thread
  std::atomic<bool> is_resting{false};
  std::atomic<Nanos::rep> last_step_at{0};
  mutable std::mutex mutex;  // of the snapshot
  EngineStats snapshot;
  std::thread thread;  // last: it uses all of the above
};

void Engine::State::run() {
  bool is_paused = false;
  for (bool is_stopping = false; !is_stopping || core.has_work();) {
    if (!is_paused) let_in();  // whoever ended has left a place
    const bool has_work = is_paused ? core.is_unsettled() : core.has_work();
    const bool may_sleep = !has_work && !is_stopping;
    const bool rests = may_sleep && core.held() > 0;
    is_resting.store(rests);
    Inbox::Batch batch =
        inbox.take(may_sleep, rests && !is_paused ? core.wake_at() : std::nullopt);
    if (rests) last_step_at.store(SteadyClock::now().count());
    is_resting.store(false);
    if (may_sleep) timer.end(StepPhase::kIdle);
    is_stopping = batch.is_stopping;
    const bool stops_waiting = batch.stops_waiting;
    is_paused = batch.is_paused && !is_stopping;
    if (batch.forgets_cache) core.forget_cache();
    const std::optional<std::uint64_t> question = batch.question;
    take_in(std::move(batch));
    if (question) answer(*question);
    if (is_stopping) core.cancel_all();
    if (stops_waiting) core.stop_waiting();
    if (!is_paused) let_in();
    if (is_paused ? !core.is_unsettled() : !core.has_work()) {
      tell_held();
      continue;
    }
    timer.end(StepPhase::kInbox);
    const Nanos now = SteadyClock::now();
    StepEvents events = is_paused ? core.settle(now) : core.advance(now);
    timer.end(StepPhase::kCommit);
    events.at = SteadyClock::now();
    if (!events.rows.empty()) {
      events.phases = timer.take();
      last_step_at.store(events.at.count());
    }
    publish(std::move(events));
    timer.end(StepPhase::kPublish);
  }
}

void Engine::State::take_in(Inbox::Batch batch) {
  for (std::size_t i = 0; i < batch.requests.size(); ++i) {
    const Status status = core.submit(std::move(batch.requests[i]), batch.turns[i]);
    QUIRE_CHECK(status.is_ok(), "a request that was accepted is refused: {}", status.message());
  }
  for (const RequestId id : batch.cancels) core.cancel(id);
}

void Engine::State::let_in() {
  const Nanos now = SteadyClock::now();
  const std::vector<RequestId> ids = core.let_in(now);
  if (ids.empty()) return;
  inbox.report_let_in(ids);
  last_step_at.store(now.count());
}

// Who looks at the engine sees those that wait for company although no step tells of them.
void Engine::State::tell_held() {
  if (core.held() == held_told) return;
  StepEvents events;
  events.stats = core.stats();
  events.at = SteadyClock::now();
  publish(std::move(events));
  timer.end(StepPhase::kPublish);
}

void Engine::State::answer(std::uint64_t question) {
  StepEvents events;
  events.stats = core.stats();
  events.inspection = std::make_shared<const EngineInspection>(core.inspect(question));
  events.at = SteadyClock::now();
  publish(std::move(events));
  timer.end(StepPhase::kPublish);
}

void Engine::State::publish(StepEvents events) {
  held_told = core.held();
  std::vector<RequestId> admitted, ended;
  for (const RowFact& row : events.rows) {
    if (row.is_admission) admitted.push_back(row.of.request);
  }
  for (const TokenEvent& event : events.events) {
    if (event.is_last) ended.push_back(event.request);
  }
  {
    const std::lock_guard lock(mutex);
    snapshot = events.stats;
  }
  sink(std::move(events));
  inbox.report(admitted, ended);  // after the sink: idle means that every event is delivered
}

Engine::Engine(const EngineOptions& options, std::unique_ptr<Executor> executor,
               std::shared_ptr<const Tokenizer> tokenizer, EventSink sink)
    : state_(std::make_unique<State>(options, std::move(executor), std::move(tokenizer),
                                     std::move(sink))) {
  state_->thread = std::thread([state = state_.get()] {
    try {
      state->run();
    } catch (const std::exception& error) {
      QUIRE_CHECK(false, "an exception reached the engine thread: {}", error.what());
    }
  });
}

Engine::~Engine() {
  state_->inbox.stop();
  state_->thread.join();
}

Status Engine::submit(Request request) {
  QUIRE_RETURN_IF_ERROR(state_->core.check(request));
  return state_->inbox.submit(std::move(request), SteadyClock::now());
}

Status Engine::submit_all(std::vector<Request> requests) {
  for (const Request& request : requests) QUIRE_RETURN_IF_ERROR(state_->core.check(request));
  return state_->inbox.submit_all(std::move(requests), SteadyClock::now());
}

Status Engine::submit_at_once(Request request) {
  QUIRE_RETURN_IF_ERROR(state_->core.check(request));
  return state_->inbox.submit(std::move(request));
}

void Engine::cancel(RequestId id) { state_->inbox.cancel(id); }
void Engine::pause(bool is_paused) { state_->inbox.pause(is_paused); }
void Engine::reset_prefix_cache() { state_->inbox.forget_cache(); }
void Engine::drain() { state_->inbox.close(); }
void Engine::stop_waiting() { state_->inbox.stop_waiting(); }
bool Engine::is_idle() const { return state_->inbox.is_idle(); }

EngineStats Engine::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->snapshot;
}

void Engine::inspect(std::uint64_t question) { state_->inbox.ask(question); }

const SchedulerOptions& Engine::limits() const { return state_->core.scheduler().options(); }
const DynamicBatching& Engine::batching() const { return state_->core.options().batching; }
const Capacity& Engine::capacity() const { return state_->executor->capacity(); }
bool Engine::is_resting() const { return state_->is_resting.load(); }
Nanos Engine::last_step_at() const { return Nanos(state_->last_step_at.load()); }

}  // namespace quire
