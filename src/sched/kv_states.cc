// KvLedger's states: where snapshots are wanted, how they are taken, handed to the tree and thinned
// out, and how a sequence goes on from one.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sched/kv_ledger.h"

namespace quire {
namespace {

constexpr std::uint32_t kSnapshotEvery = 1024;  // positions of a long prompt

bool is_none(const std::vector<BlockId>& states) { return states.empty(); }

}  // namespace

// A long prompt leaves one every so often, one where each of its messages ends, and one at the last
// whole block of what is known: behind a prompt the next turn begins there, and while text is
// generated the last whole block moves along.
std::uint32_t KvLedger::next_stop(const Sequence& seq, std::uint32_t from) const {
  const std::uint32_t block = block_tokens();
  const auto whole = [block](std::uint32_t position) { return position / block * block; };
  const std::uint32_t every = std::max(whole(kSnapshotEvery), block);
  std::uint32_t stop = (from / every + 1) * every;
  const std::uint32_t end = std::min(seq.length_coming(), seq.feed_end());
  const std::uint32_t last = whole(std::max(end, 1u) - 1);
  if (last > from) stop = std::min(stop, last);
  const auto& ends = seq.request->message_ends;
  for (auto it = std::upper_bound(ends.begin(), ends.end(), from); it != ends.end(); ++it) {
    if (whole(*it) > from) return std::min(stop, whole(*it));
  }
  return stop;
}

bool KvLedger::is_state_coming(const Sequence& seq, std::uint32_t from, std::uint32_t limit,
                               const Sequence& other) const {
  const auto text = seq.text().first(std::min<std::size_t>(limit, seq.text().size()));
  const auto end = std::mismatch(text.begin(), text.end(), other.tokens.begin(),
                                 other.tokens.end()).first;
  const auto common = static_cast<std::uint32_t>(end - text.begin());
  const auto is_on_the_way = [&](const Snapshot& it) {
    return it.position > from && it.position <= common;
  };
  if (std::any_of(other.snapshots.begin(), other.snapshots.end(), is_on_the_way)) return true;
  for (std::uint32_t stop = next_stop(other, other.passed); stop <= common;
       stop = next_stop(other, stop)) {
    if (stop > from) return true;
  }
  return false;
}

// The sequence goes on from this state, once it has a row.
void KvLedger::begin_at(Sequence& seq, std::uint32_t group, BlockId snapshot) {
  QUIRE_CHECK(snapshot != 0, "sequence {} begins at a state of group {} that is nowhere",
              seq.id.value, group);
  retain(group, snapshot);
  if (is_none(seq.state_from)) seq.state_from.assign(groups(), 0);
  const BlockId before = std::exchange(seq.state_from[group], snapshot);
  if (before != 0) release_block(group, before);
}

void KvLedger::begin_row(Sequence& seq, bool is_to_be_forked, std::uint32_t keep,
                         std::vector<BlockCopy>& copies) {
  if (!has_states_) return;
  const std::vector<BlockId> from = std::exchange(seq.state_from, {});
  QUIRE_CHECK(is_none(from) || from.size() == groups(), "states from {} groups of {}", from.size(),
              groups());
  const auto copy = [&copies](std::uint32_t g, BlockId src, BlockId dst) {
    copies.push_back({.group = static_cast<std::uint16_t>(g), .src = src, .dst = dst});
  };
  const auto source = [&](std::uint32_t g) { return is_none(from) ? seq.tables[g][0] : from[g]; };
  for (std::uint32_t g = 0; g < groups() && !is_none(from); ++g) {
    if (from[g] == 0) continue;
    copy(g, from[g], seq.tables[g][0]);
    pins_.back().push_back({g, from[g]});  // what the sequence owned, the step does
    seq.state_step = step_;
  }
  if (is_to_be_forked && is_none(seq.fork_state) && can_keep_state(0)) {
    seq.fork_state.assign(groups(), 0);
    seq.fork_step = step_;
    for (std::uint32_t g = 0; g < groups(); ++g) {
      if (!holds_states(groups_[g])) continue;
      seq.fork_state[g] = take(g);
      copy(g, source(g), seq.fork_state[g]);
    }
  }
  const std::uint32_t at = seq.planned;
  const bool is_stop = at > 0 && at % block_tokens() == 0 && next_stop(seq, at - 1) == at;
  seq.passed = std::max(seq.passed, at);
  if (is_caching_ && is_stop && is_none(from) && !has_snapshot(seq, at) && can_keep_state(keep)) {
    take_snapshot(seq, copies);
  }
}

// Where a branch finds the state before the last prompt token: nowhere is 0.
BlockId KvLedger::fork_source(const Sequence& lead, std::uint32_t group, std::uint32_t at) const {
  const bool is_current = !is_none(lead.fork_state)
                              ? lead.fork_step == step_
                              : lead.planned == at && lead.computed == at &&
                                    lead.rows_in_flight == 0 && is_none(lead.state_from);
  // Nothing is copied on in the plan that copies it here.
  if (is_current) return lead.state_step == step_ ? 0 : lead.tables[group][0];
  return is_none(lead.fork_state) ? 0 : lead.fork_state[group];
}

bool KvLedger::can_keep_state(std::uint32_t keep) const {
  for (std::uint32_t g = 0; g < groups(); ++g) {
    if (holds_states(groups_[g]) && room(g) <= keep) return false;
  }
  return true;
}

bool KvLedger::has_snapshot(const Sequence& seq, std::uint32_t position) const {
  for (const Snapshot& it : seq.snapshots) {
    if (it.position == position) return true;
  }
  if (position > seq.published * block_tokens()) return false;
  const RadixNode* node = node_at(seq, position);
  for (std::uint32_t g = 0; g < groups(); ++g) {
    if (holds_states(groups_[g]) && node->blocks[g] == 0) return false;
  }
  return true;
}

// Of the current state, by a copy that runs before the row that overwrites it.
void KvLedger::take_snapshot(Sequence& seq, std::vector<BlockCopy>& copies) {
  QUIRE_CHECK(seq.planned % block_tokens() == 0 &&
                  (seq.snapshots.empty() || seq.snapshots.back().position < seq.planned),
              "a snapshot at {} of sequence {}", seq.planned, seq.id.value);
  Snapshot snapshot{seq.planned, std::vector<BlockId>(groups(), 0)};
  for (std::uint32_t g = 0; g < groups(); ++g) {
    if (!holds_states(groups_[g])) continue;
    const BlockId block = snapshot.blocks[g] = take(g);
    pin(g, block);
    copies.push_back({.group = static_cast<std::uint16_t>(g), .src = seq.tables[g][0],
                      .dst = block});
  }
  seq.snapshots.push_back(std::move(snapshot));
}

void KvLedger::keep_state(Sequence& seq, std::uint32_t first, std::uint32_t accepted) {
  if (!has_states_) return;
  // A state that the row left at a block's end is a snapshot without a copy.
  Snapshot snapshot{0, std::vector<BlockId>(groups(), 0)};
  for (std::uint32_t i = 1; i < accepted && is_caching_; ++i) {
    if ((first + i) % block_tokens() == 0) snapshot.position = first + i;
  }
  for (std::uint32_t g = 0; g < groups(); ++g) {
    if (!holds_states(groups_[g])) continue;
    const std::vector<BlockId> states = std::exchange(seq.tables[g], {});
    QUIRE_CHECK(accepted >= 1 && accepted <= states.size(), "state after {} of {} tokens", accepted,
                states.size());
    seq.tables[g] = {states[accepted - 1]};
    for (std::uint32_t i = 0; i < states.size(); ++i) {
      if (first + i + 1 == snapshot.position) {
        snapshot.blocks[g] = states[i];
      } else if (i + 1 != accepted) {
        release_block(g, states[i]);
      }
    }
  }
  if (snapshot.position != 0) seq.snapshots.push_back(std::move(snapshot));
  seq.passed = std::max(seq.passed, first + accepted - 1);
}

RadixNode* KvLedger::node_at(const Sequence& seq, std::uint32_t position) const {
  QUIRE_CHECK(position > 0 && position <= seq.published * block_tokens(),
              "position {} of sequence {} is not published", position, seq.id.value);
  RadixNode* node = seq.cursor;
  for (std::uint32_t depth = seq.published; depth * block_tokens() > position; --depth) {
    node = node->parent;
  }
  return node;
}

// What is in the tree already stays; ours goes when no launched step names it.
void KvLedger::attach(std::uint32_t group, RadixNode* node, BlockId block) {
  if (node->blocks[group] == 0) {
    tree_.fill(node, group, block);
    pools_[group].publish(block);
  }
}

void KvLedger::publish_snapshots(Sequence& seq) {
  if (!is_caching_) return;
  while (!seq.snapshots.empty() &&
         seq.snapshots.front().position <= seq.published * block_tokens()) {
    const Snapshot snapshot = std::move(seq.snapshots.front());
    seq.snapshots.erase(seq.snapshots.begin());
    RadixNode* node = node_at(seq, snapshot.position);
    for (std::uint32_t g = 0; g < groups(); ++g) {
      if (snapshot.blocks[g] == 0) continue;
      attach(g, node, snapshot.blocks[g]);
      retire(g, snapshot.blocks[g]);
    }
    thin_out(seq, snapshot.position);
  }
}

// Who ends where a block ends leaves its current state to the tree.
void KvLedger::give_state(Sequence& seq) {
  if (!is_caching_ || !has_states_) return;
  publish_snapshots(seq);
  if (seq.computed == 0 || seq.computed != seq.planned || !is_none(seq.state_from) ||
      seq.computed != seq.published * block_tokens()) {
    return;
  }
  for (std::uint32_t g = 0; g < groups(); ++g) {
    if (holds_states(groups_[g])) attach(g, seq.cursor, seq.tables[g].front());
  }
  thin_out(seq, seq.computed);
}

// Of the snapshots behind the prompt a sequence keeps the newest, and one every so often.
void KvLedger::thin_out(Sequence& seq, std::uint32_t position) {
  if (position < seq.prompt_count) return;
  const bool stays = position % kSnapshotEvery == 0;
  const std::uint32_t before = std::exchange(seq.thinned_to, stays ? 0 : position);
  if (before == 0 || before >= position) return;
  const RadixNode* node = node_at(seq, before);
  for (std::uint32_t g = 0; g < groups(); ++g) {
    const BlockId block = holds_states(groups_[g]) ? node->blocks[g] : 0;
    if (block == 0 || pools_[g].owners(block) > 0) continue;
    tree_.drop(g, block);
    pools_[g].withdraw(block);
  }
}

void KvLedger::drop_fork_state(Sequence& seq) {
  const std::vector<BlockId> states = std::exchange(seq.fork_state, {});
  for (std::uint32_t g = 0; g < states.size(); ++g) {
    if (states[g] != 0) retire(g, states[g]);
  }
}

void KvLedger::release_states(Sequence& seq) {
  const auto release_all = [this](std::vector<BlockId>& states) {
    for (std::uint32_t g = 0; g < states.size(); ++g) {
      if (states[g] != 0) release_block(g, states[g]);
    }
    states.clear();
  };
  for (Snapshot& snapshot : seq.snapshots) release_all(snapshot.blocks);
  seq.snapshots.clear();
  release_all(seq.state_from);
  release_all(seq.fork_state);
  seq.thinned_to = 0;
  seq.passed = 0;
}

}  // namespace quire
