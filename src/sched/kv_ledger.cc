#include "sched/kv_ledger.h"

#include <algorithm>

#include "base/check.h"

namespace quire {
namespace {

std::uint32_t divide_up(std::uint64_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>((a + b - 1) / b);
}

}  // namespace

KvLedger::KvLedger(std::span<const KvGroup> groups, bool is_caching)
    : groups_(groups.begin(), groups.end()), is_caching_(is_caching), tree_(groups) {
  for (const KvGroup& group : groups_) {
    pools_.emplace_back(group.blocks);
    has_states_ |= holds_states(group);
  }
}

std::uint32_t KvLedger::first_visible(std::uint32_t group, std::uint32_t position) const {
  const std::uint32_t window = groups_[group].window;
  return window == 0 || position < window ? 0 : (position - window + 1) / block_tokens();
}

std::uint32_t KvLedger::need(std::uint32_t group, const KvExtent& extent) const {
  if (holds_states(groups_[group])) return 1;
  if (holds_encoder(groups_[group])) return divide_up(extent.encoder, block_tokens());
  const std::uint32_t all = divide_up(extent.end, block_tokens());
  const std::uint32_t window = groups_[group].window;
  if (window == 0) return all;
  // The window before a chunk and the chunk, a block that both ends may cut, and the one behind
  // the window that the cursor stands on.
  return std::min(all, divide_up(std::uint64_t{window} + extent.chunk, block_tokens()) + 2 +
                           sink_blocks(groups_[group]));
}

std::uint32_t KvLedger::owed(std::uint32_t group, const Sequence& seq,
                             const KvExtent& extent) const {
  const auto& table = seq.tables[group];
  auto held = static_cast<std::uint32_t>(table.size());
  if (groups_[group].window != 0) {
    held -= static_cast<std::uint32_t>(std::count(table.begin(), table.end(), 0));
  }
  const std::uint32_t wanted = need(group, extent);
  return wanted > held ? wanted - held : 0;
}

void KvLedger::begin_step(StepId step) {
  step_ = step;
  pins_.emplace_back();
}

void KvLedger::drop_step() {
  QUIRE_CHECK(!pins_.empty(), "step {} is dropped and was not begun", step_);
  const std::vector<GroupBlock> pinned = std::move(pins_.back());
  pins_.pop_back();
  for (const GroupBlock& pin : pinned) retire(pin.group, pin.block);
}

void KvLedger::end_step() {
  QUIRE_CHECK(!pins_.empty(), "a step ends after step {}, and none is under way", step_);
  const std::vector<GroupBlock> pinned = std::move(pins_.front());
  pins_.pop_front();
  for (const GroupBlock& pin : pinned) release_block(pin.group, pin.block);
}

void KvLedger::retain(std::uint32_t group, BlockId block) {
  BlockPool& pool = pools_[group];
  if (pool.owners(block) == 0) tree_.set_owned(group, block, true);
  pool.retain(block);
}

void KvLedger::release_block(std::uint32_t group, BlockId block) {
  BlockPool& pool = pools_[group];
  pool.release(block);
  if (pool.owners(block) > 0 || !pool.is_published(block)) return;
  tree_.set_owned(group, block, false);
  tree_.touch(tree_.holder(group, block), step_);
}

void KvLedger::pin(std::uint32_t group, BlockId block) {
  QUIRE_CHECK(!pins_.empty(), "block {} is pinned for no step", block);
  retain(group, block);
  pins_.back().push_back({group, block});
}

void KvLedger::retire(std::uint32_t group, BlockId block) {
  if (pins_.empty()) {
    release_block(group, block);
  } else {
    pins_.back().push_back({group, block});  // the ownership moves to the newest launched step
  }
}

BlockId KvLedger::take(std::uint32_t group) {
  while (pools_[group].free_count() == 0) {
    const std::vector<GroupBlock> evicted = tree_.evict(group);
    QUIRE_CHECK(!evicted.empty(), "group {}: nothing to evict, {} cached, {} referenced", group,
                pools_[group].cached_count(), pools_[group].referenced_count());
    for (const GroupBlock& it : evicted) pools_[it.group].withdraw(it.block);
  }
  return pools_[group].allocate();
}

PrefixMatch KvLedger::match(const Sequence& seq, std::uint32_t limit) const {
  if (!is_caching_) return {};
  return tree_.match(seq.space, seq.text(), limit);
}

bool KvLedger::can_admit(const PrefixMatch& match, const KvExtent& extent,
                         const std::vector<std::uint32_t>& spare) const {
  QUIRE_CHECK(spare.size() == groups(), "room to spare in {} groups of {}", spare.size(), groups());
  const auto matched = static_cast<std::uint32_t>(match.path.size());
  for (std::uint32_t g = 0; g < groups(); ++g) {
    // Blocks of the match that nobody owns yet stop being room when they are adopted.
    std::uint32_t idle = 0, seen = 0;
    const std::uint32_t wanted = need(g, extent);
    if (holds_states(groups_[g])) {
      idle = matched > 0 && pools_[g].owners(match.path.back()->blocks[g]) == 0;
    } else {
      for (std::uint32_t i = 0; i < matched; ++i) {
        if (!is_seen(g, i, matched * block_tokens())) continue;
        ++seen;
        idle += pools_[g].owners(match.path[i]->blocks[g]) == 0;
      }
    }
    if (match.partial != nullptr) idle += pools_[g].owners(match.partial->blocks[g]) == 0;
    const std::uint32_t adopted = std::min(wanted, seen);
    if (std::uint64_t{wanted} - adopted + idle + spare[g] > room(g)) return false;
  }
  return true;
}

bool KvLedger::can_admit_fork(std::uint32_t at, const KvExtent& extent,
                              const std::vector<std::uint32_t>& spare) const {
  QUIRE_CHECK(spare.size() == groups(), "room to spare in {} groups of {}", spare.size(), groups());
  for (std::uint32_t g = 0; g < groups(); ++g) {
    const std::uint32_t wanted = need(g, extent);
    std::uint32_t shared = at / block_tokens() - first_visible(g, at);
    if (holds_states(groups_[g])) shared = 0;
    if (holds_encoder(groups_[g])) shared = wanted;
    shared = std::min(wanted, shared);
    if (std::uint64_t{wanted} - shared + spare[g] > room(g)) return false;
  }
  return true;
}

void KvLedger::copy_partial(std::uint32_t group, BlockId source, Sequence& seq,
                            std::vector<BlockCopy>& copies) {
  const BlockId copy = take(group);
  QUIRE_CHECK(source != 0 && source != copy, "block {} is copied to {}", source, copy);
  copies.push_back({.group = static_cast<std::uint16_t>(group), .src = source, .dst = copy});
  seq.tables[group].push_back(copy);
}

// Takes the path's blocks from node `from` on, as far as the next token sees them, and the states
// at its end.
void KvLedger::adopt(Sequence& seq, const std::vector<RadixNode*>& path, std::uint32_t from) {
  const auto depth = static_cast<std::uint32_t>(path.size());
  QUIRE_CHECK(from <= depth && seq.tables.size() == groups(),
              "sequence {} adopts nodes {} to {} into {} tables", seq.id.value, from, depth,
              seq.tables.size());
  for (std::uint32_t g = 0; g < groups(); ++g) {
    if (holds_states(groups_[g])) {
      if (depth > 0) begin_at(seq, g, path.back()->blocks[g]);
      continue;
    }
    for (std::uint32_t i = from; i < depth; ++i) {
      if (i < seq.tables[g].size()) {
        retire(g, seq.tables[g][i]);  // reserved, never written
      } else {
        seq.tables[g].push_back(0);
      }
      const bool is_taken = is_seen(g, i, depth * block_tokens());
      QUIRE_CHECK(!is_taken || path[i]->blocks[g] != 0, "group {}: a hole at {} of {} is seen", g,
                  i, depth);
      seq.tables[g][i] = is_taken ? path[i]->blocks[g] : 0;
      if (is_taken) retain(g, seq.tables[g][i]);
    }
  }
  for (RadixNode* node : path) tree_.touch(node, step_);
  seq.published = depth;
  stand_on(seq, path.empty() ? nullptr : path.back());
  seq.computed = depth * block_tokens();
  seq.passed = seq.computed;
}

void KvLedger::admit(Sequence& seq, const PrefixMatch& match, std::vector<BlockCopy>& copies) {
  QUIRE_CHECK(seq.rows_in_flight == 0 && seq.cursor == nullptr,
              "sequence {} is admitted with {} rows in flight", seq.id.value, seq.rows_in_flight);
  adopt(seq, match.path, 0);
  if (match.partial != nullptr) {
    QUIRE_CHECK(match.partial_tokens > 0 && match.partial_tokens <= block_tokens(),
                "{} tokens of a block of {}", match.partial_tokens, block_tokens());
    tree_.touch(match.partial, step_);
    // All sources are pinned before room is made, lest making it evicts one of them.
    for (std::uint32_t g = 0; g < groups(); ++g) pin(g, match.partial->blocks[g]);
    for (std::uint32_t g = 0; g < groups(); ++g) {
      copy_partial(g, match.partial->blocks[g], seq, copies);
    }
    seq.computed += match.partial_tokens;
  }
  seq.planned = seq.computed;
}

bool KvLedger::can_fork(const Sequence& lead, std::uint32_t at) const {
  if (lead.computed < at) return false;
  for (std::uint32_t g = 0; g < groups(); ++g) {
    if (holds_states(groups_[g])) {
      if (at > 0 && fork_source(lead, g, at) == 0) return false;
      continue;
    }
    if (holds_encoder(groups_[g])) continue;  // whoever runs holds all of it
    for (std::uint32_t i = 0; i * block_tokens() < at; ++i) {
      if (is_seen(g, i, at) && lead.tables[g][i] == 0) return false;
    }
  }
  return true;
}

void KvLedger::fork(const Sequence& lead, Sequence& seq, std::uint32_t at,
                    std::vector<BlockCopy>& copies) {
  const std::uint32_t whole = at / block_tokens();
  QUIRE_CHECK(at <= lead.computed && at <= seq.known(),
              "sequence {} forks at {} of {} tokens, {} of which {} has computed", seq.id.value, at,
              seq.known(), lead.computed, lead.id.value);
  for (std::uint32_t g = 0; g < groups(); ++g) {
    if (holds_states(groups_[g])) {
      if (at > 0) begin_at(seq, g, fork_source(lead, g, at));
      continue;
    }
    if (holds_encoder(groups_[g])) {
      seq.tables[g] = lead.tables[g];
      for (const BlockId block : seq.tables[g]) retain(g, block);
      continue;
    }
    seq.tables[g].assign(whole, 0);
    for (std::uint32_t i = 0; i < whole; ++i) {
      if (!is_seen(g, i, at)) continue;
      QUIRE_CHECK(lead.tables[g][i] != 0, "group {}: sequence {} has no block {} to share", g,
                  lead.id.value, i);
      seq.tables[g][i] = lead.tables[g][i];
      retain(g, seq.tables[g][i]);
    }
    if (at % block_tokens() == 0) continue;
    pin(g, lead.tables[g][whole]);
    copy_partial(g, lead.tables[g][whole], seq, copies);
  }
  // The lead's whole blocks are in the tree; walk to the last of them that is shared.
  seq.published = std::min(lead.published, whole);
  RadixNode* cursor = lead.cursor;
  for (std::uint32_t depth = lead.published; depth > seq.published; --depth) {
    cursor = cursor->parent;
  }
  stand_on(seq, seq.published == 0 ? nullptr : cursor);
  seq.computed = seq.planned = at;
  seq.passed = at;
}

std::uint32_t KvLedger::table_size(std::uint32_t group, const Sequence& seq, std::uint32_t end,
                                   std::uint32_t drafts) const {
  if (holds_states(groups_[group])) return 1 + drafts;
  return divide_up(holds_encoder(groups_[group]) ? seq.encoder_count() : end, block_tokens());
}

bool KvLedger::can_reserve(const Sequence& seq, std::uint32_t end, std::uint32_t drafts) const {
  for (std::uint32_t g = 0; g < groups(); ++g) {
    const std::uint32_t blocks = table_size(g, seq, end, drafts);
    const auto held = static_cast<std::uint32_t>(seq.tables[g].size());
    if (blocks > held && blocks - held > room(g)) return false;
  }
  return true;
}

void KvLedger::reserve(Sequence& seq, std::uint32_t end, std::uint32_t drafts) {
  for (std::uint32_t g = 0; g < groups(); ++g) {
    const std::uint32_t blocks = table_size(g, seq, end, drafts);
    while (seq.tables[g].size() < blocks) seq.tables[g].push_back(take(g));
  }
}

std::uint32_t KvLedger::extend(Sequence& seq, std::uint32_t limit) {
  if (!is_caching_ || seq.computed % block_tokens() != 0) return 0;
  QUIRE_CHECK(seq.published * block_tokens() == seq.computed, "sequence {} published {} of {}",
              seq.id.value, seq.published, seq.computed);
  QUIRE_CHECK(seq.rows_in_flight == 0 && seq.planned == seq.computed,
              "sequence {} is extended while it is computed, {} of {}", seq.id.value, seq.computed,
              seq.planned);
  const PrefixMatch found = match(seq, limit);
  const auto depth = static_cast<std::uint32_t>(found.path.size());
  if (depth <= seq.published) return 0;
  const std::uint32_t gained = (depth - seq.published) * block_tokens();
  adopt(seq, found.path, seq.published);
  seq.planned = seq.computed;
  settle(seq);
  return gained;
}

void KvLedger::publish(Sequence& seq) {
  QUIRE_CHECK(seq.computed <= seq.known(), "sequence {} computed {} tokens of {}", seq.id.value,
              seq.computed, seq.known());
  for (; (seq.published + 1) * block_tokens() <= seq.computed; ++seq.published) {
    const std::uint32_t i = seq.published;
    const auto block = std::span<const TokenId>(seq.tokens)
                           .subspan(std::size_t{i} * block_tokens(), block_tokens());
    RadixNode* parent = seq.cursor == nullptr ? tree_.root(seq.space) : seq.cursor;
    RadixNode* node = tree_.child(parent, block);
    if (node == nullptr) {
      std::vector<BlockId> blocks(groups(), 0);
      for (std::uint32_t g = 0; g < groups(); ++g) {
        if (holds_text(groups_[g])) blocks[g] = seq.tables[g][i];
      }
      node = tree_.insert(parent, block, blocks, step_);
      for (std::uint32_t g = 0; g < groups(); ++g) {
        if (blocks[g] != 0) pools_[g].publish(blocks[g]);
      }
    } else {
      // Another computed the same at the same time. Theirs stays and becomes ours, so that whoever
      // owns a node owns the nodes above it; ours goes when no launched step names it.
      for (std::uint32_t g = 0; g < groups(); ++g) {
        const BlockId ours = holds_text(groups_[g]) ? seq.tables[g][i] : 0;
        if (ours == 0) continue;
        if (node->blocks[g] == 0) {
          tree_.fill(node, g, ours);
          pools_[g].publish(ours);
        } else {
          retain(g, node->blocks[g]);
          seq.tables[g][i] = node->blocks[g];
          retire(g, ours);
        }
      }
      tree_.touch(node, step_);
    }
    stand_on(seq, node);
  }
}

void KvLedger::stand_on(Sequence& seq, RadixNode* node) {
  if (node == seq.cursor) return;
  if (node != nullptr) tree_.arrive(node);
  if (seq.cursor != nullptr) tree_.leave(seq.cursor);
  seq.cursor = node;
}

void KvLedger::settle(Sequence& seq) {
  if (is_caching_) publish(seq);
  publish_snapshots(seq);
  for (std::uint32_t g = 0; g < groups(); ++g) {
    if (!holds_text(groups_[g])) continue;
    // The last published block stays: the cursor stands on its node.
    QUIRE_CHECK(seq.tables[g].size() * block_tokens() >= seq.computed,
                "group {}: {} blocks hold {} positions of sequence {}", g, seq.tables[g].size(),
                seq.computed, seq.id.value);
    std::uint32_t behind = first_visible(g, seq.computed);
    if (is_caching_) behind = std::min(behind, seq.published > 0 ? seq.published - 1 : 0);
    for (std::uint32_t i = behind; i > sink_blocks(groups_[g]) && seq.tables[g][i - 1] != 0; --i) {
      release_block(g, std::exchange(seq.tables[g][i - 1], 0));  // no later row names it
    }
    if (seq.rows_in_flight > 0) continue;
    const std::size_t kept = divide_up(std::max(seq.known(), seq.computed), block_tokens());
    while (seq.tables[g].size() > kept) {
      release_block(g, seq.tables[g].back());
      seq.tables[g].pop_back();
    }
  }
}

void KvLedger::release(Sequence& seq) {
  QUIRE_CHECK(seq.rows_in_flight == 0, "sequence {} is released with {} rows in flight",
              seq.id.value, seq.rows_in_flight);
  give_state(seq);
  release_states(seq);
  for (std::uint32_t g = 0; g < groups(); ++g) {
    for (const BlockId block : seq.tables[g]) {
      if (block != 0) release_block(g, block);
    }
    seq.tables[g].clear();
  }
  stand_on(seq, nullptr);
  seq.published = 0;
  seq.computed = seq.planned = 0;
}

void KvLedger::forget_idle() {
  for (std::uint32_t g = 0; g < groups(); ++g) {
    for (auto evicted = tree_.evict(g); !evicted.empty(); evicted = tree_.evict(g)) {
      for (const GroupBlock& it : evicted) pools_[it.group].withdraw(it.block);
    }
  }
}

void KvLedger::clear_cache() {
  for (const GroupBlock& it : tree_.clear()) pools_[it.group].withdraw(it.block);
  for (const BlockPool& pool : pools_) {
    QUIRE_CHECK(pool.cached_count() == 0, "an empty tree keeps {} blocks", pool.cached_count());
  }
}

Status KvLedger::check(std::span<const Sequence* const> sequences) const {
  for (std::uint32_t g = 0; g < groups(); ++g) {
    const BlockPool& pool = pools_[g];
    std::vector<std::uint32_t> owners(pool.total() + 1, 0);
    for (const Sequence* seq : sequences) {
      const auto count = [&owners](BlockId block) {
        owners[static_cast<std::size_t>(block)] += block != 0;
      };
      for (const BlockId block : seq->tables[g]) count(block);
      for (const Snapshot& snapshot : seq->snapshots) count(snapshot.blocks[g]);
      if (!seq->state_from.empty()) count(seq->state_from[g]);
      if (!seq->fork_state.empty()) count(seq->fork_state[g]);
    }
    for (const auto& pins : pins_) {
      for (const GroupBlock& it : pins) {
        if (it.group == g) ++owners[static_cast<std::size_t>(it.block)];
      }
    }
    std::uint32_t referenced = 0, cached = 0;
    for (std::uint32_t b = 1; b <= pool.total(); ++b) {
      const auto block = static_cast<BlockId>(b);
      const RadixNode* node = tree_.holder(g, block);
      if (owners[b] != pool.owners(block)) {
        return error(StatusCode::kInternal, "group {}: block {} counts {} owners and has {}", g, b,
                     pool.owners(block), owners[b]);
      }
      if (pool.is_published(block) != (node != nullptr) ||
          (node != nullptr && (node->is_owned[g] != 0) != (owners[b] > 0))) {
        return error(StatusCode::kInternal, "group {}: pool and tree disagree on block {}", g, b);
      }
      referenced += owners[b] > 0;
      cached += owners[b] == 0 && node != nullptr;
    }
    if (cached != pool.cached_count() || referenced != pool.referenced_count()) {
      return error(StatusCode::kInternal, "group {}: {} free + {} cached + {} referenced of {}", g,
                   pool.free_count(), cached, referenced, pool.total());
    }
  }
  return ok_status();
}

}  // namespace quire
