// KvLedger: the balance sheet of KV blocks. One BlockPool per KV group counts owners, one RadixTree
// remembers what cached blocks hold; only this class changes either, so that they agree. It moves
// ids and writes block copies into plans; the bytes are the executor's.
//
// Owners of a block are the sequences whose tables name it and, for the time of one step, the plan
// that copies from it (a *pin*). Room is made by evicting what nobody owns; whom to preempt when
// that is not enough is the scheduler's business. Invariants (check()): per group free + cached +
// referenced = N, and every count equals its owners. Engine thread; no clock: time is the step
// number.
//
// Of a group of states a sequence owns one current block, which its rows update in place; blocks
// for drafts beside it; and snapshots: copies of the current block, made before a row overwrites
// it, that go to the tree as soon as the node is there. A sequence that begins at a snapshot copies
// it to a block of its own. Taking a snapshot is never worth anybody's place: without room there is
// none, and somebody computes more later (kv_states.cc).
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"
#include "core/executor.h"
#include "core/step.h"
#include "sched/block_pool.h"
#include "sched/radix_tree.h"
#include "sched/sequence.h"

namespace quire {

// What a sequence is to hold.
struct KvExtent {
  std::uint32_t end = 0;      // positions of its text
  std::uint32_t chunk = 0;    // fed at most so many at a time
  std::uint32_t encoder = 0;  // positions of the encoder's input
};

class KvLedger {
 public:
  KvLedger(std::span<const KvGroup> groups, bool is_caching);

  std::uint32_t groups() const { return static_cast<std::uint32_t>(groups_.size()); }
  std::uint32_t block_tokens() const { return tree_.block_tokens(); }
  const BlockPool& pool(std::uint32_t group) const { return pools_[group]; }
  const RadixTree& tree() const { return tree_; }

  // Blocks that a sequence needs in a group for that.
  std::uint32_t need(std::uint32_t group, const KvExtent& extent) const;

  // Of those, how many it does not hold yet.
  std::uint32_t owed(std::uint32_t group, const Sequence& seq, const KvExtent& extent) const;
  // Index of the first block that the token at `position` sees; those before it are behind the
  // window.
  std::uint32_t first_visible(std::uint32_t group, std::uint32_t position) const;

  // --- the life of a launched step ---
  void begin_step(StepId step);  // copies from now on belong to this plan
  void drop_step();              // the plan came out empty
  void end_step();               // the oldest launched step is finished

  // --- a sequence comes ---
  // At most `limit` tokens; nothing when caching is off.
  PrefixMatch match(const Sequence& seq, std::uint32_t limit) const;
  // Is there room to adopt the match and hold that much, if `spare` blocks stay untouched?
  bool can_admit(const PrefixMatch& match, const KvExtent& extent,
                 const std::vector<std::uint32_t>& spare) const;  // [groups]
  void admit(Sequence& seq, const PrefixMatch& match, std::vector<BlockCopy>& copies);
  // Does the running `lead` still hold what a branch needs that starts after `at` positions?
  bool can_fork(const Sequence& lead, std::uint32_t at) const;
  bool can_admit_fork(std::uint32_t at, const KvExtent& extent,
                      const std::vector<std::uint32_t>& spare) const;
  void fork(const Sequence& lead, Sequence& seq, std::uint32_t at, std::vector<BlockCopy>& copies);

  // --- it runs ---
  // Tables cover `end` positions, the last `drafts` of which are guesses, and the encoder's input.
  bool can_reserve(const Sequence& seq, std::uint32_t end, std::uint32_t drafts = 0) const;
  void reserve(Sequence& seq, std::uint32_t end, std::uint32_t drafts = 0);
  // Takes whole blocks that others published since; the sequence is between steps. Tokens gained.
  std::uint32_t extend(Sequence& seq, std::uint32_t limit);
  // After `computed` moved: publishes full blocks, lets go of what fell behind a window and, if it
  // has no row in flight, of what rejected drafts had reserved.
  void settle(Sequence& seq);

  // --- states ---
  bool has_states() const { return has_states_; }
  // The next position behind `from` where a snapshot is wanted; it may lie behind the end.
  std::uint32_t next_stop(const Sequence& seq, std::uint32_t from) const;
  // Will `other` leave a snapshot on the way of `seq`, between `from` and `limit`?
  bool is_state_coming(const Sequence& seq, std::uint32_t from, std::uint32_t limit,
                       const Sequence& other) const;
  // A row that begins at `planned` is about to be appended, and may overwrite the current state:
  // copies to where it goes on from, and what is to stay of it. `keep` blocks stay untouched.
  void begin_row(Sequence& seq, bool is_to_be_forked, std::uint32_t keep,
                 std::vector<BlockCopy>& copies);
  // Of the states that a row left from `first` on, the one after `accepted` tokens is the current.
  void keep_state(Sequence& seq, std::uint32_t first, std::uint32_t accepted);
  void drop_fork_state(Sequence& seq);

  // --- it leaves; no launched plan names its blocks any more ---
  void release(Sequence& seq);
  void forget_idle();  // takes out of the cache whatever nobody owns
  void clear_cache();  // after a fault: what the blocks hold is unknown

  Status check(std::span<const Sequence* const> sequences) const;

 private:
  std::uint64_t room(std::uint32_t group) const {
    return std::uint64_t{pools_[group].free_count()} + pools_[group].cached_count();
  }
  // Blocks of its table once it covers `end` positions, `drafts` of them guesses.
  std::uint32_t table_size(std::uint32_t group, const Sequence& seq, std::uint32_t end,
                           std::uint32_t drafts) const;
  BlockId take(std::uint32_t group);  // evicts if it must
  void retain(std::uint32_t group, BlockId block);
  void release_block(std::uint32_t group, BlockId block);
  void retire(std::uint32_t group, BlockId block);  // release, after the launched steps
  void pin(std::uint32_t group, BlockId block);
  void publish(Sequence& seq);
  bool is_seen(std::uint32_t group, std::uint32_t index, std::uint32_t position) const {
    return index >= first_visible(group, position) || index < sink_blocks(groups_[group]);
  }
  void adopt(Sequence& seq, const std::vector<RadixNode*>& path, std::uint32_t from);
  void stand_on(Sequence& seq, RadixNode* node);
  void begin_at(Sequence& seq, std::uint32_t group, BlockId snapshot);
  bool can_keep_state(std::uint32_t keep) const;
  bool has_snapshot(const Sequence& seq, std::uint32_t position) const;
  void take_snapshot(Sequence& seq, std::vector<BlockCopy>& copies);
  void publish_snapshots(Sequence& seq);
  void give_state(Sequence& seq);
  void attach(std::uint32_t group, RadixNode* node, BlockId block);
  BlockId fork_source(const Sequence& lead, std::uint32_t group, std::uint32_t at) const;
  void thin_out(Sequence& seq, std::uint32_t position);
  RadixNode* node_at(const Sequence& seq, std::uint32_t position) const;
  void release_states(Sequence& seq);
  void copy_partial(std::uint32_t group, BlockId source, Sequence& seq,
                    std::vector<BlockCopy>& copies);

  std::vector<KvGroup> groups_;
  bool is_caching_;
  bool has_states_ = false;
  std::vector<BlockPool> pools_;  // [groups]
  RadixTree tree_;
  StepId step_ = 0;
  std::deque<std::vector<GroupBlock>> pins_;  // of every launched step, oldest first

  friend struct LedgerSaboteur;  // tests plant bugs through it
};

}  // namespace quire
