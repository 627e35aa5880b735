// EngineCore: joins the scheduler, the sessions and the executor's tickets. No thread, no clock, no
// I/O: whoever owns it says what time it is. One advance() is one turn of the ring
//   plan -> launch -> sample -> finish -> commit -> events
// At depth 1 it does all of it for one step. At depth d it first launches until d plans are under
// way, then finishes the oldest:  sample(t) launch(t+1) finish(t) commit(t) sample(t+1).
// A plan with promises is sampled when the plan before it is committed, because a sampler looks at
// the whole history.
//
// Where a request has a constraint, its masks are made when its history is known, and what it
// forces is appended to its text when that is committed, to be fed as one chunk.
//
// Where options().batching acts, a request waits in a DynamicBatcher first; let_in() moves those
// whose turn it is on to the scheduler, and whoever owns this asks for it before each advance() and
// at wake_at().
//
// A row that is not finite ends its request. An executor fault ends every request with its reason
// and voids the cache; the next request starts anew.
// Used by engine/engine (the thread), sim/simulator and tests.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/nanos.h"
#include "base/status.h"
#include "core/events.h"
#include "core/executor.h"
#include "core/options.h"
#include "core/request.h"
#include "engine/constraints/constraint_rows.h"
#include "engine/sample_spec.h"
#include "engine/session.h"
#include "engine/step_events.h"
#include "sched/dynamic_batcher.h"
#include "sched/scheduler.h"

namespace quire {

class EngineCore {
 public:
  // The executor outlives the core. Without a tokenizer events carry tokens only.
  EngineCore(const EngineOptions& options, Executor& executor,
             std::shared_ptr<const Tokenizer> tokenizer);
  ~EngineCore();  // finishes the tickets under way

  // Any thread: whether the request can be served at all.
  Status check(const Request& request) const;
  // kResourceExhausted: queue_max requests of its tenant, or as many as its level may have, wait
  // already. `turn`: how it waits for let_in() where batching acts; absent: it does not.
  Status submit(Request request, std::optional<QueueTurn> turn = std::nullopt);
  void cancel(RequestId id);  // its last event comes with the next advance(); unknown ids are fine
  void cancel_all();
  void expire(RequestId id);  // as cancel(): its turn did not come in time

  bool has_work() const { return scheduler_.has_work() || !events_.empty(); }
  StepEvents advance(Nanos now);

  // Batches whose turn it is; who is let in with them. Who has waited too long ends with kDeadline.
  std::vector<RequestId> let_in(Nanos now);
  void stop_waiting();  // for company; as when no more requests come
  // When let_in() has something to do although nothing happens until then. Absent: never.
  std::optional<Nanos> wake_at() const;
  std::size_t held() const { return batcher_ ? batcher_->size() : 0; }  // that wait for let_in()

  // While the engine is paused: whether there is something to settle() yet, which finishes a step
  // that is under way and tells what has happened, and starts nothing.
  bool is_unsettled() const { return !flights_.empty() || !events_.empty(); }
  StepEvents settle(Nanos now);

  void forget_cache() { scheduler_.forget_cache(); }  // of texts that nobody is at

  EngineStats stats() const;
  EngineInspection inspect(std::uint64_t question) const {
    return {question, look_into(scheduler_)};
  }
  const Scheduler& scheduler() const { return scheduler_; }
  const EngineOptions& options() const { return options_; }

 private:
  struct Job {
    std::shared_ptr<const Request> request;
    std::vector<Session> branches;  // [n]
    int unfinished = 0;
  };
  struct Flight {
    StepPlan plan;
    std::vector<BranchId> preempted;
    Ticket ticket;
    SampleSpec spec;
    SpecStorage storage;
    MaskStorage masks;
    bool is_sampled = false;
    bool has_promises = false;
  };

  StepEvents turn(Nanos now, bool launches);
  Status hold(const Request& request, std::optional<Nanos> timeout, const QueueTurn& turn);
  std::uint32_t free_places() const;
  void launch_ahead();
  void sample_ready();
  void finish_oldest(StepEvents& out);
  void describe(const StepPlan& plan, StepEvents& out) const;
  void take_in(Progress progress, RowFact& fact);
  bool follow_constraint(const Job& job, Progress& progress);
  void end_request(RequestId id, FinishReason reason, const std::string& message);
  void fail_all(const std::string& fault);
  void emit(Job& job, TokenEvent event);

  EngineOptions options_;
  Executor& executor_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Scheduler scheduler_;
  std::optional<DynamicBatcher> batcher_;  // absent: nobody waits for company
  std::map<RequestId, Job> jobs_;
  std::deque<Flight> flights_;  // launched, oldest first
  std::vector<BranchId> preempted_;  // by plans without rows; told with the next launched one
  ConstraintRows constraints_;
  std::vector<MaskStorage> spare_masks_;  // at most as many as steps may be under way
  std::vector<TokenEvent> events_;
  std::uint64_t generated_tokens_ = 0;
  std::uint64_t forced_tokens_ = 0;

  friend struct SchedulerSaboteur;  // tests plant bugs through it
};

}  // namespace quire
