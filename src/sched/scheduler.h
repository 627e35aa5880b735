// Scheduler: decides what the next step computes. submit() and cancel() change the queues, plan()
// turns them into a StepPlan, commit() books what a step brought. Integers only, no clock: the same
// calls give the same plans, to the byte.
//
// One plan spends a budget of rows, tokens and logits rows in the order of service (TenantQueues
// between tenants, the policy within one): on decodes, and then their drafts in turns; and of each
// tenant on unfinished prompts, in chunks, and then on admissions. Room comes from eviction
// (KvLedger), then from a victim: preemption is by recompute, so a preempted sequence keeps its
// tokens, waits at its old place and continues as a prompt, at the same positions with the same
// noise. A sequence whose next block is just being computed by another waits for it and takes it
// from the cache. Branches of one request wait until the lead has all but the last prompt token,
// then fork.
//
// Plans may be launched ahead of commits (Capacity::depth): then a sequence's newest token is fed
// as a promise, and whoever ended or was preempted meanwhile drains before its blocks are let go.
// An encoder's input is a row of its own, before the first of the text; it and a text that is
// pooled are fed as a whole.
// Progress: while anything is unfinished, plan() has rows or a launched step is to be committed.
// Engine thread; used by engine/engine_core.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/nanos.h"
#include "base/status.h"
#include "core/executor.h"
#include "core/options.h"
#include "core/request.h"
#include "core/step.h"
#include "sched/kv_ledger.h"
#include "sched/policy.h"
#include "sched/sequence.h"
#include "sched/tenant_queues.h"

namespace quire {

// What one committed row brought its branch.
struct Progress : RowOutput {
  RequestId request;
  SeqId seq;
  int branch = 0;
  RowOutcome outcome = RowOutcome::kOk;  // not kOk: nothing was booked, the caller cancels
  std::uint32_t prompt_scores = 0;  // how many of `scores` are of prompt tokens; they come first
  std::uint32_t cached = 0;  // prompt tokens from the cache
  bool is_at_end = false;    // length_max is reached; the branch has ended
};

struct SchedulerCounts {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t generated_tokens = 0;
  std::uint64_t prefix_cached_tokens = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t steps = 0;
  std::uint64_t computed_tokens = 0;
  std::uint32_t requests_running = 0;  // admitted, not ended
  std::uint32_t requests_waiting = 0;  // never admitted yet
};

class Scheduler {
 public:
  static constexpr int kBranchesMax = 128;

  Scheduler(const SchedulerOptions& options, const Capacity& capacity,
            const Policy& policy = kPolicies[0]);

  // Can this request ever run here? Any thread: it reads what never changes. submit() asks again.
  Status check(const Request& request) const;
  Status submit(std::shared_ptr<const Request> request);
  void cancel(RequestId id);  // all branches; unknown ids are fine
  void finish(SeqId id);      // one branch has what it wanted
  // Adds tokens that come next without being drawn, as far as its length goes; how many. None while
  // a launched row of it is not committed: then it is given no promise, so that a later commit
  // finds it at rest.
  std::uint32_t append(SeqId id, std::span<const TokenId> tokens);
  void forget_cache() { ledger_.forget_idle(); }  // texts that no sequence is at
  void cancel_all();          // after a fault: the launched steps are lost, the cache is void
  std::vector<RequestId> overdue(Nanos now) const;

  bool has_work() const { return !sequences_.empty() || !flights_.empty(); }

  // A plan without rows is not launched. Any other counts as launched from now on.
  StepPlan plan();
  // Of the oldest launched plan. Rows of branches that ended meanwhile bring nothing.
  std::vector<Progress> commit(const StepPlan& plan, StepResult result);

  const Sequence* find(SeqId id) const;
  const KvLedger& ledger() const { return ledger_; }
  const TenantQueues& queues() const { return queues_; }
  const SchedulerCounts& counts() const { return counts_; }
  // Who lost their blocks in the last plan().
  const std::vector<BranchId>& preempted() const { return preempted_; }
  // What holds: the smaller of what was asked for and what the executor can do.
  const SchedulerOptions& options() const { return options_; }
  std::uint32_t context_max() const { return context_max_; }
  Status check_invariants() const;

 private:
  struct Branches {
    std::vector<SeqId> seqs;  // [n], by branch
    std::uint32_t unfinished = 0;
    bool has_begun = false;
  };
  struct Flight {
    StepId step = 0;
    struct Row {
      Sequence* seq = nullptr;
      std::uint32_t draws = 0;   // logits rows that draw a token
      std::uint32_t scores = 0;  // logits rows that score a prompt token
    };
    std::vector<Row> rows;
  };
  // The plan under construction and what is left to spend on it.
  struct Sketch {
    StepPlan plan;
    Flight flight;
    std::uint32_t rows_left = 0;
    std::uint32_t tokens_left = 0;
    std::uint32_t logits_left = 0;
    std::uint32_t logits_rows = 0;  // of the rows so far
    bool is_admitting = true;       // nobody lacked room yet
  };
  // A row that is sure to come: its room is reserved, its share of the budget spent.
  struct Claim {
    Sequence* seq = nullptr;
    std::uint32_t end = 0;     // of what it feeds without drafts
    std::uint32_t scores = 0;  // prompt tokens to score
    bool draws = false;
    std::uint32_t drafts = 0;
  };
  // How a waiting sequence would come in.
  struct Entrance {
    enum class Kind { kNotYet, kNoRoom, kPrompt, kFork } kind = Kind::kNotYet;
    PrefixMatch match;
    const Sequence* lead = nullptr;
  };

  Status check_whole(const Request& request) const;
  Sequence& make_sequence(const std::shared_ptr<const Request>& request, int branch);

  // planning
  void displace_for_waiting();
  std::uint32_t rows_for(const Sequence& waiting, const Sequence& victim) const;
  void plan_decodes(Sketch& sketch);
  void plan_prompts(Sketch& sketch);
  void continue_prompt(Sequence& seq, Sketch& sketch);
  void admit_waiting(const TenantQueue* rival, Sketch& sketch);
  Entrance entrance(const Sequence& seq) const;
  const Sequence* lead_of(const Sequence& seq) const;  // while it has not ended, else null
  void admit(Sequence& seq, const Entrance& how, Sketch& sketch);
  bool has_unbegun_branches(const Sequence& lead) const;
  bool is_to_be_forked(const Sequence& seq) const;
  bool is_being_computed(const Sequence& seq, std::uint32_t from) const;
  std::vector<std::uint32_t> spare_blocks() const;  // [groups]
  std::uint32_t match_limit(const Sequence& seq) const;

  bool can_feed(const Sequence& seq) const;
  std::uint32_t chunk_end(const Sequence& seq, const Sketch& sketch) const;
  std::uint32_t drafts_of(const Sequence& seq) const;
  void allot_drafts(std::vector<Claim>& claims, bool has_prompts, Sketch& sketch);
  auto service_order() const {
    return [this](const Sequence* a, const Sequence* b) {
      return queues_.is_served_before(*a, *b);
    };
  }
  Sequence* victim_for(const Sequence& seq) const;             // or null
  Sequence* victim_displaced_by(const Sequence& waiting) const;  // or null
  bool make_room(const Sequence& seq, std::uint32_t end);
  std::optional<Claim> make_claim(Sequence& seq, Sketch& sketch);
  bool feed(Sequence& seq, Sketch& sketch);
  bool feed_encoder(Sequence& seq, Sketch& sketch);
  KvExtent extent_of(const Sequence& seq, std::uint32_t end) const;
  std::uint32_t whole_tokens(const Sequence& seq) const;
  void append_row(const Claim& claim, Sketch& sketch);
  void charge_prompt(Sequence& seq, std::uint32_t end);
  void append_tables(const Sequence& seq, std::uint32_t end, StepPlan& plan) const;

  // booking
  void book(const Flight::Row& row, const StepRow& fed, RowResult& result, Progress& progress);
  void take_drafts(Sequence& seq, std::vector<TokenId> drafts);

  // state changes
  void start(Sequence& seq);
  void preempt(Sequence& seq);
  void return_to_queue(Sequence& seq);
  void end(Sequence& seq);
  void erase(Sequence& seq);
  void leave_running(Sequence& seq);

  const Policy& policy_;
  SchedulerOptions options_;
  Capacity capacity_;
  std::uint32_t context_max_;
  KvLedger ledger_;

  std::map<SeqId, Sequence> sequences_;  // until they are finished
  std::map<RequestId, Branches> requests_;
  TenantQueues queues_;             // who waits
  std::vector<Sequence*> running_;  // in policy order
  std::uint32_t draining_ = 0;
  std::deque<Flight> flights_;  // launched, oldest first
  StepId step_ = 0;             // of the newest launched plan
  SeqId drafts_served_{0};      // whose draft was let in last
  std::uint64_t seqs_made_ = 0;
  std::uint64_t arrivals_ = 0;
  std::set<std::pair<Nanos, RequestId>> deadlines_;
  SchedulerCounts counts_;
  std::vector<BranchId> preempted_;  // at most what runs

  friend struct SchedulerSaboteur;  // tests plant bugs through it
};

}  // namespace quire
