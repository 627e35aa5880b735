#include "engine/engine_core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quire {

EngineCore::EngineCore(const EngineOptions& options, Executor& executor,
                       std::shared_ptr<const Tokenizer> tokenizer)
    : options_(options),
      executor_(executor),
      tokenizer_(std::move(tokenizer)),
      scheduler_(options.scheduler, executor.capacity()),
      constraints_(options_.eos_ids) {
  QUIRE_CHECK(executor.capacity().depth >= 1, "an executor that holds no step");
  std::sort(options_.eos_ids.begin(), options_.eos_ids.end());
  if (options_.batching.acts()) {
    batcher_.emplace(options_.batching, scheduler_.options().rows_max);
  }
}

EngineCore::~EngineCore() {
  for (Flight& flight : flights_) {
    if (!flight.is_sampled) executor_.sample(flight.ticket, discard_all(flight.plan));
    executor_.finish(flight.ticket);
  }
}

Status EngineCore::check(const Request& request) const {
  QUIRE_RETURN_IF_ERROR(Session::check(request, tokenizer_.get()));
  return scheduler_.check(request);
}

Status EngineCore::submit(Request request, std::optional<QueueTurn> turn) {
  QUIRE_RETURN_IF_ERROR(check(request));
  const std::uint32_t waiting = scheduler_.queues().requests_waiting(request.tenant);
  if (waiting >= options_.queue_max) {
    return error(StatusCode::kResourceExhausted, "{} requests are waiting; at most {} may", waiting,
                 options_.queue_max);
  }
  const bool waits = batcher_ && turn;
  std::optional<Nanos> timeout;  // of its turn: that is all that a deadline means then
  if (waits && request.deadline) timeout = std::max(*request.deadline - turn->arrived, Nanos{0});
  if (waits) request.deadline.reset();
  auto shared = std::make_shared<const Request>(std::move(request));
  QUIRE_RETURN_IF_ERROR(constraints_.begin(*shared));
  const Status status = waits ? hold(*shared, timeout, *turn) : scheduler_.submit(shared);
  if (!status.is_ok()) {
    constraints_.forget(*shared);
    return status;
  }
  const auto [place, is_new] = jobs_.try_emplace(shared->id);
  QUIRE_CHECK(is_new, "request {} is here twice", shared->id.value);
  Job& job = place->second;
  job.request = shared;
  job.unfinished = shared->n;
  for (int branch = 0; branch < shared->n; ++branch) {
    job.branches.emplace_back(*shared, branch, tokenizer_.get(), options_.eos_ids);
  }
  return ok_status();
}

Status EngineCore::hold(const Request& request, std::optional<Nanos> timeout,
                        const QueueTurn& turn) {
  const std::uint64_t level = options_.batching.level_of(request.priority);
  const bool has_levels = options_.batching.levels > 0;  // then the priority is the level
  const int priority = has_levels ? 0 : request.priority;
  if (batcher_->offer(request.id, level, timeout, turn, priority)) return ok_status();
  return Status(StatusCode::kResourceExhausted, kQueueFull);
}

std::uint32_t EngineCore::free_places() const {
  const std::size_t running = jobs_.size() - held();
  const std::uint32_t all = scheduler_.options().rows_max;
  return running >= all ? 0 : all - static_cast<std::uint32_t>(running);
}

std::vector<RequestId> EngineCore::let_in(Nanos now) {
  std::vector<RequestId> all;
  while (batcher_) {
    const DynamicBatcher::Release release = batcher_->next(free_places(), now);
    for (const RequestId id : release.expired) expire(id);
    if (release.batch.empty()) break;
    for (const RequestId id : release.batch) {
      const Status status = scheduler_.submit(jobs_.at(id).request);
      QUIRE_CHECK(status.is_ok(), "a request that waited is refused: {}", status.message());
    }
    all.insert(all.end(), release.batch.begin(), release.batch.end());
  }
  return all;
}

void EngineCore::stop_waiting() {
  if (batcher_) batcher_->stop_waiting();
}

std::optional<Nanos> EngineCore::wake_at() const {
  return batcher_ ? batcher_->wake_at(free_places()) : std::nullopt;
}

void EngineCore::cancel(RequestId id) { end_request(id, FinishReason::kCancelled, ""); }

void EngineCore::expire(RequestId id) {
  end_request(id, FinishReason::kDeadline, kTimeoutExpired);
}

void EngineCore::cancel_all() {
  while (!jobs_.empty()) cancel(jobs_.begin()->first);
}

StepEvents EngineCore::advance(Nanos now) { return turn(now, true); }
StepEvents EngineCore::settle(Nanos now) { return turn(now, false); }

StepEvents EngineCore::turn(Nanos now, bool launches) {
  for (const RequestId id : scheduler_.overdue(now)) {
    end_request(id, FinishReason::kDeadline, "The request's deadline passed.");
  }
  StepEvents out;
  if (launches) launch_ahead();
  if (!flights_.empty()) {
    finish_oldest(out);
    sample_ready();
  } else {
    QUIRE_CHECK(!launches || !scheduler_.has_work(), "nothing to compute for {} requests",
                jobs_.size());
  }
  if (options_.is_checking_invariants) {
    const Status status = scheduler_.check_invariants();
    QUIRE_CHECK(status.is_ok(), "{}", status.message());
  }
  if (!scheduler_.has_work()) {  // no later plan will tell
    out.preempted.insert(out.preempted.end(), preempted_.begin(), preempted_.end());
    preempted_.clear();
  }
  out.events = std::exchange(events_, {});
  out.stats = stats();
  return out;
}

void EngineCore::launch_ahead() {
  while (flights_.size() < executor_.capacity().depth) {
    Flight flight;
    flight.plan = scheduler_.plan();
    const std::vector<BranchId>& preempted = scheduler_.preempted();
    preempted_.insert(preempted_.end(), preempted.begin(), preempted.end());
    if (flight.plan.rows.empty()) return;
    flight.preempted = std::exchange(preempted_, {});
    if (options_.is_hashing_logits) {
      for (StepRow& row : flight.plan.rows) row.flags |= kRowHashLogits;
    }
    const Status status = validate(flight.plan, executor_.capacity());
    QUIRE_CHECK(status.is_ok(), "{}", status.message());
    flight.has_promises = std::any_of(flight.plan.tokens.begin(), flight.plan.tokens.end(),
                                      [](TokenId token) { return token < 0; });
    flight.ticket = executor_.launch(flight.plan);
    QUIRE_CHECK(flight.ticket.step == flight.plan.step, "step {} was launched as {}",
                flight.plan.step, flight.ticket.step);
    flights_.push_back(std::move(flight));
    sample_ready();
  }
}

// In launch order, as soon as every history is known.
void EngineCore::sample_ready() {
  for (std::size_t i = 0; i < flights_.size(); ++i) {
    Flight& flight = flights_[i];
    if (flight.is_sampled) continue;
    if (i > 0 && flight.has_promises) return;
    flight.spec = build_sample_spec(flight.plan, scheduler_, options_.eos_ids, flight.storage);
    if (!constraints_.is_empty()) {
      if (!spare_masks_.empty()) {
        flight.masks = std::move(spare_masks_.back());
        spare_masks_.pop_back();
      }
      constraints_.write_masks(flight.plan, scheduler_, executor_, flight.spec, flight.masks);
    }
    const Status status = validate(flight.spec, flight.plan, executor_.capacity());
    QUIRE_CHECK(status.is_ok(), "step {}: {}", flight.plan.step, status.message());
    executor_.sample(flight.ticket, flight.spec);
    flight.is_sampled = true;
  }
}

void EngineCore::finish_oldest(StepEvents& out) {
  QUIRE_CHECK(flights_.front().is_sampled, "step {} is finished before it was sampled",
              flights_.front().plan.step);
  StepResult result = executor_.finish(flights_.front().ticket);
  Flight flight = std::move(flights_.front());
  flights_.pop_front();
  if (flight.masks.capacity() > 0) spare_masks_.push_back(std::move(flight.masks));
  out.elapsed = result.elapsed;
  out.preempted = flight.preempted;
  describe(flight.plan, out);
  if (!result.fault.empty()) {
    fail_all(result.fault);
    return;
  }
  std::size_t row = 0;  // progress comes in the order of rows, without those that ended meanwhile
  for (Progress& progress : scheduler_.commit(flight.plan, std::move(result))) {
    while (row < flight.plan.rows.size() && flight.plan.rows[row].seq != progress.seq) ++row;
    QUIRE_CHECK(row < out.rows.size(), "sequence {} got on without a row of step {}",
                progress.seq.value, flight.plan.step);
    take_in(std::move(progress), out.rows[row]);
  }
}

// Before the commit, which forgets the branches that have ended.
void EngineCore::describe(const StepPlan& plan, StepEvents& out) const {
  out.step = plan.step;
  out.rows.reserve(plan.rows.size());
  for (const StepRow& row : plan.rows) {
    const Sequence* seq = scheduler_.find(row.seq);
    QUIRE_CHECK(seq != nullptr, "step {} has a row of nobody", plan.step);
    const bool is_admission = seq->admitted_step == plan.step;
    out.rows.push_back({.of = {seq->request->id, seq->branch},
                        .first_position = row.first_position,
                        .tokens = row.tokens.count,
                        .is_decode = row.first_position >= seq->prompt_count &&
                                     row.first_position + 1 >= seq->known(),
                        .is_admission = is_admission,
                        .is_fork = is_admission && seq->is_forked});
  }
}

void EngineCore::take_in(Progress progress, RowFact& fact) {
  const auto it = jobs_.find(progress.request);
  if (it == jobs_.end()) return;  // another branch's row has just ended the request
  Job& job = it->second;
  if (progress.outcome == RowOutcome::kNonFinite) {
    end_request(progress.request, FinishReason::kNonFinite, "the model produced NaN or infinity");
    return;
  }
  if (progress.outcome == RowOutcome::kNothingAllowed) {
    const std::string_view failure =
        constraints_.failure({progress.request, progress.branch});
    if (!failure.empty()) {
      end_request(progress.request, FinishReason::kGrammarLimit, std::string(failure));
      return;
    }
    end_request(progress.request, FinishReason::kNothingAllowed,
                "what may be generated here leaves no token to choose");
    return;
  }
  if (progress.outcome == RowOutcome::kFault) {
    end_request(progress.request, FinishReason::kFault, "the step could not be run");
    return;
  }
  const SeqId seq = progress.seq;
  QUIRE_CHECK(progress.branch >= 0 &&
                  static_cast<std::size_t>(progress.branch) < job.branches.size(),
              "branch {} of a request of {}", progress.branch, job.branches.size());
  Session& session = job.branches[static_cast<std::size_t>(progress.branch)];
  const bool is_at_end = progress.is_at_end;
  const BranchId branch = {progress.request, progress.branch};
  if (job.request->constraint != nullptr && !follow_constraint(job, progress)) return;
  const ConstraintState* state = constraints_.find(branch);
  TokenEvent event = session.accept(std::move(progress), state != nullptr && state->is_over());
  if (state != nullptr) event.is_whole = state->may_end();
  fact.generated = static_cast<std::uint32_t>(event.accepted.size());
  generated_tokens_ += event.accepted.size();
  if (session.has_ended() && !is_at_end) scheduler_.finish(seq);
  emit(job, std::move(event));
}

// Moves the branch's constraint on, and adds what it forces to what came. False: it could not
// follow, and the request has ended.
bool EngineCore::follow_constraint(const Job& job, Progress& progress) {
  if (progress.accepted.empty()) return true;
  const BranchId branch = {progress.request, progress.branch};
  const Request& request = *job.request;
  const auto end = [&](const Status& status) {
    end_request(progress.request, FinishReason::kGrammarLimit, status.message());
    return false;
  };
  if (const Status status = constraints_.accept(branch, request, progress.accepted);
      !status.is_ok()) {
    return end(status);
  }
  const ConstraintState& state = *constraints_.find(branch);
  if (!progress.is_at_end && ConstraintRows::may_feed_forced(request.params)) {
    const std::uint32_t count = scheduler_.append(progress.seq, state.forced());
    const std::vector<TokenId> forced(state.forced().begin(), state.forced().begin() + count);
    progress.accepted.insert(progress.accepted.end(), forced.begin(), forced.end());
    forced_tokens_ += count;
    if (const Status status = constraints_.accept(branch, request, forced); !status.is_ok()) {
      return end(status);
    }
    const Sequence& seq = *scheduler_.find(progress.seq);
    progress.is_at_end = seq.known() == seq.length_max;
  }
  return true;
}

void EngineCore::end_request(RequestId id, FinishReason reason, const std::string& message) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return;
  Job& job = it->second;
  scheduler_.cancel(id);
  if (batcher_) batcher_->cancel(id);
  // emit() forgets the job with its last branch; do not touch it after that.
  const std::size_t branches = job.branches.size();
  int left = job.unfinished;
  for (std::size_t branch = 0; branch < branches && left > 0; ++branch) {
    Session& session = job.branches[branch];
    if (session.has_ended()) continue;
    --left;
    emit(job, session.end(reason, message));
  }
}

// What is under way is lost, and with it all that the blocks hold.
void EngineCore::fail_all(const std::string& fault) {
  for (Flight& flight : flights_) {
    if (!flight.is_sampled) executor_.sample(flight.ticket, discard_all(flight.plan));
    executor_.finish(flight.ticket);
  }
  flights_.clear();
  scheduler_.cancel_all();
  while (!jobs_.empty()) end_request(jobs_.begin()->first, FinishReason::kFault, fault);
}

void EngineCore::emit(Job& job, TokenEvent event) {
  QUIRE_CHECK(job.unfinished > 0, "request {} goes on after its last branch",
              event.request.value);
  if (event.finish != FinishReason::kNone) event.is_last = --job.unfinished == 0;
  const bool is_last = event.is_last;
  const RequestId id = event.request;
  if (event.finish != FinishReason::kNone || !event.accepted.empty() || !event.text.empty() ||
      !event.prompt_scores.empty() || !event.logits_hashes.empty() || !event.logits.empty()) {
    events_.push_back(std::move(event));
  }
  if (is_last) {
    constraints_.forget(*job.request);
    jobs_.erase(id);
  }
}

EngineStats EngineCore::stats() const {
  const SchedulerCounts& counts = scheduler_.counts();
  const BlockPool& pool = scheduler_.ledger().pool(0);
  EngineStats stats;
  stats.requests_running = counts.requests_running;
  stats.requests_waiting = counts.requests_waiting + held();
  stats.blocks_total = pool.total();
  stats.blocks_free = pool.free_count();
  stats.blocks_cached = pool.cached_count();
  stats.blocks_referenced = pool.referenced_count();
  stats.prompt_tokens = counts.prompt_tokens;
  stats.generated_tokens = generated_tokens_;
  stats.prefix_cached_tokens = counts.prefix_cached_tokens;
  stats.preemptions = counts.preemptions;
  stats.steps = counts.steps;
  stats.computed_tokens = counts.computed_tokens;
  stats.forced_tokens = forced_tokens_;
  stats.masks = constraints_.masks_made();
  return stats;
}

}  // namespace quire
