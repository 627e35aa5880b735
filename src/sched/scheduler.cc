// Queues, booking and the states of a sequence; the planning is in scheduler_plan.cc.
#include "sched/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace quire {
namespace {

std::uint32_t smaller(std::uint32_t wish, std::uint32_t bound) {
  return wish == 0 ? bound : std::min(wish, bound);
}

Status refused(std::string reason) {
  return Status(StatusCode::kInvalidArgument, std::move(reason));
}

// What the cache holds of a text says nothing without its encoder's input, or without what follows.
bool can_cache(const Capacity& capacity) { return capacity.is_causal && capacity.lanes == 1; }

Status check_tokens(const std::vector<TokenId>& tokens, const char* what, std::uint32_t vocab) {
  for (const TokenId token : tokens) {
    if (token >= 0 && static_cast<std::uint32_t>(token) < vocab) continue;
    return refused(
        fmt::format("token {} of {} is not in the vocabulary of {}", token, what, vocab));
  }
  return ok_status();
}

Status check_choice(const SamplingParams& params, std::uint32_t vocab) {
  if (!params.allowed.empty() && params.allowed.size() != (std::size_t{vocab} + 31) / 32) {
    return refused(fmt::format("the allowed tokens are {} words for a vocabulary of {}",
                               params.allowed.size(), vocab));
  }
  for (const std::vector<TokenId>& bad : params.bad_sequences) {
    if (bad.empty()) return refused("a bad sequence is empty");
    QUIRE_RETURN_IF_ERROR(check_tokens(bad, "a bad sequence", vocab));
  }
  const RepetitionLimit& limit = params.repetition;
  if (limit.pattern_max > RepetitionLimit::kPatternMax || limit.pattern_min < 1 ||
      limit.count < 2) {
    return refused(fmt::format("patterns of {} to {} tokens, {} times, cannot be looked for",
                               limit.pattern_min, limit.pattern_max, limit.count));
  }
  return ok_status();
}

// Who asks for the logits of a prompt has one token drawn from the last of them, which is fed to
// nobody: it may stand behind the context.
bool draws_behind_context(const SamplingParams& params) {
  return params.raw_logits && params.tokens_max == 1;
}

std::uint32_t length_max_of(const Request& request, std::uint32_t context_max) {
  const std::uint64_t length =
      request.prompt.size() + static_cast<std::uint64_t>(request.params.tokens_max);
  const std::uint64_t bound =
      std::uint64_t{context_max} + (draws_behind_context(request.params) ? 1 : 0);
  return static_cast<std::uint32_t>(std::min(length, bound));
}

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options, const Capacity& capacity,
                     const Policy& policy)
    : policy_(policy),
      options_(options),
      capacity_(capacity),
      context_max_(smaller(options.context_max, capacity.context_max)),
      ledger_(capacity.groups, options.is_prefix_caching && can_cache(capacity)),
      queues_(policy, options.tenant_lag_max) {
  options_.rows_max = smaller(options.rows_max, capacity.rows_max);
  options_.tokens_max = smaller(options.tokens_max, capacity.tokens_max);
  options_.is_prefix_caching &= can_cache(capacity);
  QUIRE_CHECK(options_.rows_max > 0 && options_.tokens_max > 0 && capacity.logits_rows_max > 0 &&
                  capacity.depth > 0 && context_max_ > 0,
              "a step of {} rows, {} tokens, {} logits rows; depth {}, context {}",
              options_.rows_max, options_.tokens_max, capacity.logits_rows_max, capacity.depth,
              context_max_);
}

Status Scheduler::check(const Request& request) const {
  const std::size_t prompt = request.prompt.size();
  if (prompt == 0) return refused("the prompt is empty");
  const bool has_answer = request.params.tokens_max > 0 && !draws_behind_context(request.params);
  const std::size_t needed = prompt + (has_answer ? 1 : 0);
  if (needed > context_max_) {
    return refused(
        fmt::format("the prompt has {} tokens; the context is {}, at least one of which "
                    "is for the answer",
                    prompt, context_max_));
  }
  QUIRE_RETURN_IF_ERROR(check_tokens(request.prompt, "the prompt", capacity_.vocab));
  QUIRE_RETURN_IF_ERROR(check_choice(request.params, capacity_.vocab));
  QUIRE_RETURN_IF_ERROR(check_whole(request));
  if (request.adapter < 0 || static_cast<std::uint32_t>(request.adapter) > capacity_.adapters) {
    return refused(fmt::format("adapter {} is not loaded; the model has {}", request.adapter,
                               capacity_.adapters));
  }
  if (request.tenant_share < 1 || request.tenant_share > Request::kTenantShareMax) {
    return refused(fmt::format("the tenant's share is {}; it must be 1 to {}", request.tenant_share,
                               Request::kTenantShareMax));
  }
  if (request.n < 1 || request.n > kBranchesMax) {
    return refused(fmt::format("n is {}; it must be 1 to {}", request.n, kBranchesMax));
  }
  if (request.params.tokens_max < 0) return refused("tokens_max is negative");
  if (request.is_pooled && (request.params.tokens_max > 0 || request.n > 1 ||
                            request.params.prompt_logprobs >= 0)) {
    return refused("of a pooled text nothing is generated or scored");
  }
  // One branch alone must be able to reach its end: the others can always give way.
  Sequence alone;
  alone.length_max = length_max_of(request, context_max_);
  alone.is_whole = request.is_pooled;
  const auto encoder = static_cast<std::uint32_t>(request.encoder_input.size());
  for (std::uint32_t g = 0; g < ledger_.groups(); ++g) {
    const std::uint32_t blocks =
        ledger_.need(g, {alone.feed_end(), options_.tokens_max, encoder});
    if (blocks > ledger_.pool(g).total()) {
      return refused(fmt::format("the prompt and its answer need {} KV blocks; the pool has {}",
                                 blocks, ledger_.pool(g).total()));
    }
  }
  return ok_status();
}

// What is fed as a whole: an encoder's input, and a text that is pooled.
Status Scheduler::check_whole(const Request& request) const {
  const bool has_encoder = capacity_.lanes > 1;
  if (request.encoder_input.empty() == has_encoder) {
    return refused(has_encoder ? "the encoder's input is empty" : "the model has no encoder");
  }
  QUIRE_RETURN_IF_ERROR(
      check_tokens(request.encoder_input, "the encoder's input", capacity_.vocab));
  if (request.is_pooled && capacity_.pooled_max == 0) return refused("the model cannot pool");
  if (!request.is_pooled && !capacity_.is_causal) {
    return refused("the model generates nothing: it reads a text and makes a vector of it");
  }
  if (request.second_segment != 0 &&
      (capacity_.segments < 2 || request.second_segment >= request.prompt.size())) {
    return refused(capacity_.segments < 2
                       ? "the model reads one text, not a pair"
                       : fmt::format("the second text begins at {} of {} tokens",
                                     request.second_segment, request.prompt.size()));
  }
  const std::size_t whole = (request.is_pooled ? request.prompt : request.encoder_input).size();
  const std::uint32_t bound = std::min(options_.tokens_max, context_max_);
  if (whole <= bound) return ok_status();
  return refused(fmt::format("{} has {} tokens; it is read in one step, of at most {}",
                             request.is_pooled ? "the prompt" : "the encoder's input", whole,
                             bound));
}

Sequence& Scheduler::make_sequence(const std::shared_ptr<const Request>& request, int branch) {
  const SeqId id{++seqs_made_};
  Sequence& seq = sequences_[id];
  seq.id = id;
  seq.request = request;
  seq.space = {request->tenant, request->adapter, request->cache_salt};
  seq.tenant = &queues_.enter(*request);
  seq.branch = branch;
  seq.arrival = arrivals_;
  seq.prompt_count = static_cast<std::uint32_t>(request->prompt.size());
  seq.length_max = length_max_of(*request, context_max_);
  seq.is_whole = request->is_pooled;
  seq.wants_scores = branch == 0 && request->params.prompt_logprobs >= 0;
  seq.tables.resize(ledger_.groups());
  return seq;
}

Status Scheduler::submit(std::shared_ptr<const Request> request) {
  QUIRE_RETURN_IF_ERROR(check(*request));
  if (requests_.contains(request->id)) {
    return refused(fmt::format("request {} is already here", request->id.value));
  }
  ++arrivals_;
  Branches& branches = requests_[request->id];
  for (int branch = 0; branch < request->n; ++branch) {
    Sequence& seq = make_sequence(request, branch);
    branches.seqs.push_back(seq.id);
    queues_.add(seq);
  }
  branches.unfinished = static_cast<std::uint32_t>(request->n);
  if (request->deadline) deadlines_.insert({*request->deadline, request->id});
  ++counts_.requests_waiting;
  ++sequences_.at(branches.seqs.front()).tenant->requests_waiting;
  return ok_status();
}

void Scheduler::cancel(RequestId id) {
  const auto it = requests_.find(id);
  if (it == requests_.end()) return;
  const std::vector<SeqId> seqs = it->second.seqs;
  for (const SeqId seq : seqs) finish(seq);
}

void Scheduler::finish(SeqId id) {
  const auto it = sequences_.find(id);
  if (it != sequences_.end() && !it->second.has_ended()) end(it->second);
}

void Scheduler::cancel_all() {
  // What is in flight is lost: nothing names blocks any more.
  for (; !flights_.empty(); flights_.pop_front()) {
    ledger_.end_step();
    for (const Flight::Row& row : flights_.front().rows) --row.seq->rows_in_flight;
  }
  while (!sequences_.empty()) {
    Sequence& seq = sequences_.begin()->second;
    if (seq.state == SeqState::kDraining) --draining_;
    if (seq.has_ended()) {
      erase(seq);
    } else {
      if (seq.state == SeqState::kDraining) return_to_queue(seq);
      end(seq);
    }
  }
  ledger_.clear_cache();
}

std::vector<RequestId> Scheduler::overdue(Nanos now) const {
  std::vector<RequestId> late;
  for (const auto& [deadline, id] : deadlines_) {
    if (deadline > now) break;
    late.push_back(id);
  }
  return late;
}

const Sequence* Scheduler::find(SeqId id) const {
  const auto it = sequences_.find(id);
  return it == sequences_.end() ? nullptr : &it->second;
}

std::vector<Progress> Scheduler::commit(const StepPlan& plan, StepResult result) {
  QUIRE_CHECK(!flights_.empty() && flights_.front().step == plan.step && result.step == plan.step,
              "step {} is committed with the result of {}", plan.step, result.step);
  QUIRE_CHECK(result.rows.size() == plan.rows.size(), "{} results for {} rows", result.rows.size(),
              plan.rows.size());
  const Flight flight = std::move(flights_.front());
  flights_.pop_front();
  ledger_.end_step();
  std::vector<Progress> news;
  news.reserve(plan.rows.size());
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    Sequence& seq = *flight.rows[r].seq;
    --seq.rows_in_flight;
    if (seq.has_ended()) {
      if (seq.rows_in_flight > 0) continue;
      --draining_;
      erase(seq);
      continue;
    }
    Progress& progress = news.emplace_back();
    book(flight.rows[r], plan.rows[r], result.rows[r], progress);
    if (seq.is_returning && seq.rows_in_flight == 0) {
      --draining_;
      return_to_queue(seq);
    }
    if (progress.outcome == RowOutcome::kOk && (progress.is_at_end = seq.is_complete())) end(seq);
  }
  return news;
}

void Scheduler::book(const Flight::Row& row, const StepRow& fed, RowResult& result,
                     Progress& progress) {
  Sequence& seq = *row.seq;
  progress.request = seq.request->id;
  progress.seq = seq.id;
  progress.branch = seq.branch;
  progress.outcome = result.outcome;
  progress.cached = seq.cached;
  if (result.outcome != RowOutcome::kOk || fed.lane != 0) return;

  const auto accepted = static_cast<std::uint32_t>(result.accepted.size());
  QUIRE_CHECK(row.draws == 0 ? accepted == 0 : accepted >= 1 && accepted <= row.draws,
              "sequence {}: {} tokens accepted where {} were drawn", seq.id.value, accepted,
              row.draws);
  const std::uint32_t end = fed.first_position + fed.tokens.count;
  const bool is_verify = seq.drafts_in_flight > 0;
  QUIRE_CHECK(is_verify || accepted == row.draws, "sequence {}: {} of {} draws", seq.id.value,
              accepted, row.draws);
  seq.computed = end - (is_verify ? row.draws - accepted : 0);
  if (is_verify) {
    ledger_.keep_state(seq, fed.first_position, accepted);
    seq.drafts_in_flight = 0;
    seq.planned = seq.computed;
  }
  if (row.draws > 0) --seq.outputs;
  if (row.scores > 0) seq.scored = end - row.draws;
  seq.tokens.insert(seq.tokens.end(), result.accepted.begin(), result.accepted.end());
  take_drafts(seq, std::move(result.drafts));
  ledger_.settle(seq);

  counts_.generated_tokens += accepted;
  queues_.charge(*seq.tenant, std::uint64_t{accepted} * TenantQueues::kAnswerCost);
  static_cast<RowOutput&>(progress) = std::move(result);
  progress.prompt_scores = row.scores;
}

// Drafts continue the tokens known now; with a row in flight they come too late, but they tell that
// waiting for the finish would have been worth it.
void Scheduler::take_drafts(Sequence& seq, std::vector<TokenId> drafts) {
  seq.is_drafting = !drafts.empty();
  seq.drafts.clear();
  if (seq.rows_in_flight > 0 || seq.is_returning) return;
  for (const TokenId token : drafts) {
    if (token < 0 || static_cast<std::uint32_t>(token) >= capacity_.vocab) break;
    seq.drafts.push_back(token);
  }
}

std::uint32_t Scheduler::append(SeqId id, std::span<const TokenId> tokens) {
  Sequence& seq = sequences_.at(id);
  QUIRE_CHECK(!seq.has_ended(), "sequence {} goes on after its end", id.value);
  seq.is_forced = !tokens.empty() && seq.rows_in_flight > 0;
  if (seq.is_forced || tokens.empty()) return 0;
  QUIRE_CHECK(seq.outputs == 0 && seq.planned == seq.computed, "sequence {} is not at rest",
              id.value);
  tokens = tokens.first(std::min<std::size_t>(tokens.size(), seq.length_max - seq.known()));
  seq.tokens.insert(seq.tokens.end(), tokens.begin(), tokens.end());
  if (!tokens.empty()) seq.drafts.clear();
  const auto count = static_cast<std::uint32_t>(tokens.size());
  counts_.generated_tokens += count;
  queues_.charge(*seq.tenant, std::uint64_t{count} * TenantQueues::kPromptCost);
  return count;
}

void Scheduler::start(Sequence& seq) {
  queues_.remove(seq);
  ++seq.tenant->running;
  if (!seq.has_begun) {
    seq.tokens = seq.request->prompt;
    seq.has_begun = true;
    Branches& branches = requests_.at(seq.request->id);
    if (!branches.has_begun) {
      branches.has_begun = true;
      --counts_.requests_waiting;
      --seq.tenant->requests_waiting;
      ++counts_.requests_running;
      counts_.prompt_tokens += seq.prompt_count;
    }
  }
  seq.state = SeqState::kRunning;
  const PolicyOrder order{&policy_};
  const auto place = std::upper_bound(running_.begin(), running_.end(), &seq, order);
  running_.insert(place, &seq);
}

void Scheduler::leave_running(Sequence& seq) {
  const auto it = std::find(running_.begin(), running_.end(), &seq);
  QUIRE_CHECK(it != running_.end(), "sequence {} is not running", seq.id.value);
  running_.erase(it);
  --seq.tenant->running;
}

void Scheduler::preempt(Sequence& seq) {
  ++counts_.preemptions;
  preempted_.push_back({seq.request->id, seq.branch});
  leave_running(seq);
  seq.was_preempted = true;
  seq.drafts.clear();
  if (seq.rows_in_flight == 0) {
    return_to_queue(seq);
  } else {
    seq.state = SeqState::kDraining;
    seq.is_returning = true;
    ++draining_;
  }
}

void Scheduler::return_to_queue(Sequence& seq) {
  ledger_.release(seq);
  seq.state = SeqState::kWaiting;
  seq.is_returning = false;
  seq.outputs = 0;
  seq.drafts_in_flight = 0;
  seq.scored_planned = seq.scored;
  queues_.add(seq);
}

// The branch is over for its client. Its blocks stay until no launched plan names them.
void Scheduler::end(Sequence& seq) {
  const auto request = requests_.find(seq.request->id);
  if (--request->second.unfinished == 0) {
    --(request->second.has_begun ? counts_.requests_running : counts_.requests_waiting);
    if (!request->second.has_begun) --seq.tenant->requests_waiting;
    if (seq.request->deadline) deadlines_.erase({*seq.request->deadline, seq.request->id});
    requests_.erase(request);
  }
  switch (seq.state) {
    case SeqState::kWaiting:
      queues_.remove(seq);
      erase(seq);
      break;
    case SeqState::kRunning:
      leave_running(seq);
      if (seq.rows_in_flight == 0) {
        erase(seq);
      } else {
        seq.state = SeqState::kDraining;
        ++draining_;
      }
      break;
    case SeqState::kDraining:
      seq.is_returning = false;
      break;
    case SeqState::kFinished:
      QUIRE_CHECK(false, "sequence {} ends twice", seq.id.value);
  }
}

void Scheduler::erase(Sequence& seq) {
  ledger_.release(seq);
  seq.state = SeqState::kFinished;
  queues_.leave(*seq.tenant);
  sequences_.erase(seq.id);
}

Status Scheduler::check_invariants() const {
  std::vector<const Sequence*> all;
  std::uint32_t draining = 0;
  for (const auto& [id, seq] : sequences_) {
    QUIRE_RETURN_IF_ERROR(check_sequence(seq, capacity_.groups));
    draining += seq.state == SeqState::kDraining;
    all.push_back(&seq);
  }
  if (all.size() != running_.size() + queues_.size() + draining_ || draining != draining_) {
    return error(StatusCode::kInternal, "{} sequences: {} running, {} waiting, {} draining",
                 all.size(), running_.size(), queues_.size(), draining_);
  }
  QUIRE_RETURN_IF_ERROR(queues_.check());
  return ledger_.check(all);
}

}  // namespace quire
