#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "engine/engine_core.h"
#include "engine/door/inbox.h"

namespace quire {
namespace {

void add(EngineStats& sum, const EngineStats& stats) {
  for (const auto figure :
       {&EngineStats::requests_running, &EngineStats::requests_waiting, &EngineStats::blocks_total,
        &EngineStats::blocks_free, &EngineStats::blocks_cached, &EngineStats::blocks_referenced,
        &EngineStats::prompt_tokens, &EngineStats::generated_tokens,
        &EngineStats::prefix_cached_tokens, &EngineStats::preemptions, &EngineStats::steps,
        &EngineStats::computed_tokens, &EngineStats::forced_tokens, &EngineStats::masks}) {
    sum.*figure += stats.*figure;
  }
}

// With several instances those that wait for company do so in the inbox.
EngineOptions options_of_core(EngineOptions options, std::size_t instances) {
  if (instances > 1) options.batching = {};
  return options;
}

bool is_equal(const Capacity& a, const Capacity& b) {
  const auto blocks = [](const KvGroup& x, const KvGroup& y) { return x.blocks == y.blocks; };
  return a.rows_max == b.rows_max && a.tokens_max == b.tokens_max &&
         a.context_max == b.context_max && a.vocab == b.vocab &&
         std::equal(a.groups.begin(), a.groups.end(), b.groups.begin(), b.groups.end(), blocks);
}

}  // namespace

// What the instances share. Any thread.
struct Engine::Common {
  Common(const EngineOptions& options, std::size_t instances, std::uint32_t rows_max,
         EventSink sink_given)
      : batching(options.batching),
        inbox(options.queue_max, options.batching, instances, rows_max),
        sink(std::move(sink_given)),
        snapshots(instances),
        answers(instances) {}

  EngineStats stats() const;
  std::shared_ptr<const EngineInspection> gather(std::size_t instance, EngineInspection answer);

  const DynamicBatching batching;
  Inbox inbox;
  std::mutex sink_mutex;
  EventSink sink;
  std::atomic<std::size_t> held_told{0};  // of the inbox
  mutable std::mutex mutex;  // of what follows
  std::vector<EngineStats> snapshots;     // [instances]
  std::vector<EngineInspection> answers;  // [instances]; question 0: none yet
  std::uint64_t answered = 0;             // the question that was told last
};

EngineStats Engine::Common::stats() const {
  const std::size_t held = inbox.held();
  EngineStats sum;
  const std::lock_guard lock(mutex);
  for (const EngineStats& snapshot : snapshots) add(sum, snapshot);
  sum.requests_waiting += held;
  return sum;
}

// Null: another instance has not answered yet.
std::shared_ptr<const EngineInspection> Engine::Common::gather(std::size_t instance,
                                                               EngineInspection answer) {
  const std::lock_guard lock(mutex);
  answers[instance] = std::move(answer);
  std::uint64_t oldest = answers[instance].question;
  for (const EngineInspection& it : answers) oldest = std::min(oldest, it.question);
  if (oldest <= answered) return nullptr;
  answered = oldest;
  return std::make_shared<const EngineInspection>(EngineInspection{oldest, join(answers)});
}

struct Engine::Instance {
  Instance(Common& common_given, std::size_t index_given, const EngineOptions& options,
           std::unique_ptr<Executor> executor_given, std::shared_ptr<const Tokenizer> tokenizer)
      : common(common_given),
        index(index_given),
        executor(std::make_unique<TimedExecutor>(std::move(executor_given), timer)),
        core(options, *executor, std::move(tokenizer)) {
    keep_stats(core.stats());
  }

  void run();
  Inbox::Batch take(bool may_sleep, bool is_paused);
  void take_in(Inbox::Batch batch);
  void let_in();
  void tell_held();
  void answer(std::uint64_t question);
  void keep_stats(const EngineStats& stats);
  void publish(StepEvents events);

  Common& common;
  const std::size_t index;
  PhaseTimer timer;
  std::unique_ptr<Executor> executor;
  EngineCore core;  // the engine thread's; check() is for all
  std::size_t held_told = 0;  // of the engine thread
  std::atomic<bool> is_asleep{false};
  std::atomic<bool> is_holding{false};  // while it is asleep: somebody waits in the core
  std::atomic<Nanos::rep> last_step_at{0};
  std::thread thread;  // last: it uses all of the above
};

void Engine::Instance::run() {
  bool is_paused = false;
  for (bool is_stopping = false; !is_stopping || core.has_work();) {
    if (!is_paused) let_in();  // whoever ended has left a place
    const bool has_work = is_paused ? core.is_unsettled() : core.has_work();
    Inbox::Batch batch = take(!has_work && !is_stopping, is_paused);
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

// Who looks from outside never sees it awake with a time from before its sleep.
Inbox::Batch Engine::Instance::take(bool may_sleep, bool is_paused) {
  if (!may_sleep) return common.inbox.take(false, std::nullopt, index);
  std::optional<Nanos> wake_at;
  if (!is_paused) {
    const bool is_holding_some = core.held() > 0;
    wake_at = is_holding_some ? core.wake_at() : common.inbox.wake_at(index);
  }
  is_holding.store(core.held() > 0);
  is_asleep.store(true);
  Inbox::Batch batch = common.inbox.take(true, wake_at, index);
  last_step_at.store(SteadyClock::now().count());
  is_asleep.store(false);
  timer.end(StepPhase::kIdle);
  return batch;
}

void Engine::Instance::take_in(Inbox::Batch batch) {
  for (std::size_t i = 0; i < batch.requests.size(); ++i) {
    const Status status = core.submit(std::move(batch.requests[i]), batch.turns[i]);
    QUIRE_CHECK(status.is_ok(), "a request that was accepted is refused: {}", status.message());
  }
  for (const RequestId id : batch.cancels) core.cancel(id);
  for (const RequestId id : batch.expired) core.expire(id);
}

void Engine::Instance::let_in() {
  const Nanos now = SteadyClock::now();
  const std::vector<RequestId> ids = core.let_in(now);
  Inbox::Batch batch = common.inbox.let_in(index, now);
  if (ids.empty() && batch.requests.empty()) return;
  common.inbox.report_let_in(ids);
  if (!batch.requests.empty()) {
    take_in(std::move(batch));
    keep_stats(core.stats());  // they wait in the inbox no longer
  }
  last_step_at.store(now.count());
}

// Who looks at the engine sees those that wait for company although no step tells of them.
void Engine::Instance::tell_held() {
  const std::size_t held = common.inbox.held();
  const bool is_told = common.held_told.exchange(held) == held;
  if (is_told && core.held() == held_told) return;
  StepEvents events;
  events.stats = core.stats();
  events.at = SteadyClock::now();
  publish(std::move(events));
  timer.end(StepPhase::kPublish);
}

void Engine::Instance::answer(std::uint64_t question) {
  StepEvents events;
  events.inspection = common.gather(index, core.inspect(question));
  if (events.inspection == nullptr) return;
  events.stats = core.stats();
  events.at = SteadyClock::now();
  publish(std::move(events));
  timer.end(StepPhase::kPublish);
}

void Engine::Instance::keep_stats(const EngineStats& stats) {
  const std::lock_guard lock(common.mutex);
  common.snapshots[index] = stats;
}

void Engine::Instance::publish(StepEvents events) {
  held_told = core.held();
  std::vector<RequestId> admitted, ended;
  for (const RowFact& row : events.rows) {
    if (row.is_admission) admitted.push_back(row.of.request);
  }
  for (const TokenEvent& event : events.events) {
    if (event.is_last) ended.push_back(event.request);
  }
  events.instance = static_cast<std::uint32_t>(index);
  keep_stats(events.stats);
  {
    const std::lock_guard lock(common.sink_mutex);
    events.stats = common.stats();
    common.sink(std::move(events));
  }
  common.inbox.report(admitted, ended);  // after the sink: idle means that every event is delivered
}

namespace {

std::vector<std::unique_ptr<Executor>> only(std::unique_ptr<Executor> executor) {
  std::vector<std::unique_ptr<Executor>> executors;
  executors.push_back(std::move(executor));
  return executors;
}

}  // namespace

Engine::Engine(const EngineOptions& options, std::unique_ptr<Executor> executor,
               std::shared_ptr<const Tokenizer> tokenizer, EventSink sink)
    : Engine(options, only(std::move(executor)), std::move(tokenizer), std::move(sink)) {}

Engine::Engine(const EngineOptions& options, std::vector<std::unique_ptr<Executor>> executors,
               std::shared_ptr<const Tokenizer> tokenizer, EventSink sink) {
  const std::size_t count = executors.size();
  QUIRE_CHECK(count >= 1 && count <= kInstancesMax, "an engine of {} instances", count);
  const Capacity& capacity = executors.front()->capacity();
  const std::uint32_t rows_max = std::min(options.scheduler.rows_max, capacity.rows_max);
  for (const auto& executor : executors) {
    QUIRE_CHECK(is_equal(executor->capacity(), capacity), "instances of unequal capacity");
  }
  common_ = std::make_unique<Common>(options, count, rows_max, std::move(sink));
  const EngineOptions of_core = options_of_core(options, count);
  for (auto& executor : executors) {
    instances_.push_back(std::make_unique<Instance>(*common_, instances_.size(), of_core,
                                                    std::move(executor), tokenizer));
  }
  QUIRE_CHECK(rows_max == limits().rows_max, "{} rows where there are {}", rows_max,
              limits().rows_max);
  for (const auto& instance : instances_) {
    instance->thread = std::thread([it = instance.get()] {
      try {
        it->run();
      } catch (const std::exception& error) {
        QUIRE_CHECK(false, "an exception reached the engine thread: {}", error.what());
      }
    });
  }
}

Engine::~Engine() {
  common_->inbox.stop();
  for (const auto& instance : instances_) instance->thread.join();
}

Status Engine::submit(Request request) {
  QUIRE_RETURN_IF_ERROR(instances_.front()->core.check(request));
  return common_->inbox.submit(std::move(request), SteadyClock::now());
}

Status Engine::submit_all(std::vector<Request> requests) {
  for (const Request& request : requests) {
    QUIRE_RETURN_IF_ERROR(instances_.front()->core.check(request));
  }
  return common_->inbox.submit_all(std::move(requests), SteadyClock::now());
}

Status Engine::submit_at_once(Request request, std::size_t instance) {
  QUIRE_RETURN_IF_ERROR(instances_.front()->core.check(request));
  return common_->inbox.submit(std::move(request), std::nullopt, instance);
}

void Engine::cancel(RequestId id) { common_->inbox.cancel(id); }
void Engine::pause(bool is_paused) { common_->inbox.pause(is_paused); }
void Engine::reset_prefix_cache() { common_->inbox.forget_cache(); }
void Engine::drain() { common_->inbox.close(); }
void Engine::stop_waiting() { common_->inbox.stop_waiting(); }
bool Engine::is_idle() const { return common_->inbox.is_idle(); }
EngineStats Engine::stats() const { return common_->stats(); }
void Engine::inspect(std::uint64_t question) { common_->inbox.ask(question); }
std::size_t Engine::instances() const { return instances_.size(); }

const SchedulerOptions& Engine::limits() const {
  return instances_.front()->core.scheduler().options();
}
const Capacity& Engine::capacity() const { return instances_.front()->executor->capacity(); }
const DynamicBatching& Engine::batching() const { return common_->batching; }

bool Engine::is_resting() const {
  bool is_holding = common_->inbox.held() > 0;
  for (const auto& instance : instances_) {
    if (!instance->is_asleep.load()) return false;
    is_holding |= instance->is_holding.load();
  }
  return is_holding;
}

Nanos Engine::last_step_at() const {
  Nanos behind = Nanos::max(), latest{0};
  for (const auto& instance : instances_) {
    const Nanos at{instance->last_step_at.load()};
    latest = std::max(latest, at);
    if (!instance->is_asleep.load() && at > Nanos{0}) behind = std::min(behind, at);
  }
  return behind == Nanos::max() ? latest : behind;  // all sleep, or have just begun
}

}  // namespace quire
