// Sequence: one branch of one request on its way. It owns the tokens, the block tables and the
// counters that tell how far the branch is; KvLedger fills the tables, Scheduler moves the
// counters.
//
//   tokens     known: the prompt and what was generated and committed
//   computed   positions whose KV exists, by committed steps
//   planned    positions whose KV exists once every launched step is finished
//   outputs    tokens that launched steps will bring; with them planned may pass tokens.size(), and
//              the newest of them is fed as a promise
//
// Waiting (no blocks) -> Running -> Draining (ended or preempted while a launched step still names
// its blocks) -> Finished, or Waiting again after a preemption.
// In a group of states the table is not by position: it holds the current state, and while drafts
// are verified one more for each. Snapshots are the states that it leaves behind on its way, until
// the tree takes them.
// Invariants: computed <= planned < tokens + outputs + drafts + 1; computed <= tokens; every table
// covers the planned positions. Engine thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "core/executor.h"
#include "core/request.h"
#include "sched/radix_tree.h"

namespace quire {

struct TenantQueue;

enum class SeqState : std::uint8_t { kWaiting, kRunning, kDraining, kFinished };

// The states after `position` tokens, a whole number of blocks.
struct Snapshot {
  std::uint32_t position = 0;
  std::vector<BlockId> blocks;  // [groups]; 0 in groups of positions
};

struct Sequence {
  SeqId id;
  std::shared_ptr<const Request> request;
  CacheNamespace space;
  TenantQueue* tenant = nullptr;  // for whom it is (sched/tenant_queues)
  std::uint32_t charged = 0;      // prompt tokens that the tenant was charged for
  int branch = 0;             // 0..n-1
  std::uint64_t arrival = 0;  // of the request, counted
  SeqState state = SeqState::kWaiting;
  bool is_returning = false;  // draining toward Waiting: it was preempted
  bool has_begun = false;     // was admitted once
  bool was_preempted = false;
  StepId admitted_step = 0;  // the plan that let it in last
  bool is_forked = false;    // it began with its lead's blocks
  bool is_whole = false;     // its text is one row, which is pooled: neither chunked nor cached

  std::vector<TokenId> tokens;  // empty until it begins: a long queue holds each prompt once
  std::uint32_t prompt_count = 0;
  std::uint32_t length_max = 0;  // tokens at which it ends
  std::uint32_t computed = 0;
  std::uint32_t planned = 0;
  std::uint32_t outputs = 0;
  std::uint32_t rows_in_flight = 0;
  StepId planned_step = 0;         // the last plan that has a row of it
  std::uint32_t output_index = 0;  // which logits row of planned_step brings its newest output

  std::vector<TokenId> drafts;  // to be verified by its next row
  std::uint32_t drafts_in_flight = 0;
  bool is_drafting = false;  // its last step brought drafts: no promises, it waits

  bool is_forced = false;  // its next tokens are known and wait for a launched row: likewise

  bool wants_scores = false;  // prompt log-probabilities
  std::uint32_t scored = 0;   // prompt positions scored, by committed steps
  std::uint32_t scored_planned = 0;

  std::vector<std::vector<BlockId>> tables;  // [groups][blocks]; 0: behind the window
  std::vector<BlockId> state_from;  // [groups] copied to the current state before its next row
  StepId state_step = 0;            // whose copies wrote the current state last
  std::vector<BlockId> fork_state;  // [groups] kept before the last prompt token, for the branches
  StepId fork_step = 0;             // whose copies wrote it
  std::vector<Snapshot> snapshots;  // not in the tree yet, by position
  std::uint32_t passed = 0;         // the last position where a snapshot was thought of
  std::uint32_t thinned_to = 0;     // its newest snapshot behind the prompt
  RadixNode* cursor = nullptr;               // the node of its last published block; null: the root
  std::uint32_t published = 0;               // whole blocks from the start that are in the tree
  std::uint32_t cached = 0;  // prompt tokens that its first pass took from the cache

  std::span<const TokenId> text() const {
    return has_begun ? std::span<const TokenId>(tokens) : std::span(request->prompt);
  }
  std::uint32_t known() const { return static_cast<std::uint32_t>(text().size()); }
  std::uint32_t length_coming() const { return known() + outputs; }
  bool is_lead() const { return branch == 0; }
  std::uint32_t encoder_count() const {
    return static_cast<std::uint32_t>(request->encoder_input.size());
  }
  bool has_ended() const {
    return state == SeqState::kFinished || (state == SeqState::kDraining && !is_returning);
  }

  // Positions that are fed at most: the last token never is, but of a text that is pooled.
  std::uint32_t feed_end() const {
    return length_max > 1 && !is_whole ? length_max - 1 : length_max;
  }
  // Positions still to feed, as far as they are known or promised.
  std::uint32_t remaining() const {
    const std::uint32_t end = length_coming() < feed_end() ? length_coming() : feed_end();
    return end > planned ? end - planned : 0;
  }
  bool is_complete() const { return known() >= length_max && computed >= feed_end(); }
};

// The counters and tables against each other.
Status check_sequence(const Sequence& seq, std::span<const KvGroup> groups);

}  // namespace quire
