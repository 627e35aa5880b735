// KvLedger: examples of its moves, and 10^5 random ones against a plain account: a map from block
// to what was written there, which every sequence's table must still show.
#include "sched/kv_ledger.h"

#include <gtest/gtest.h>

#include <list>

#include "sched/testing/dice.h"

namespace quire {
namespace {

constexpr std::uint32_t kBlockTokens = 4;

std::vector<KvGroup> groups_of(std::uint32_t blocks, std::uint32_t window = 0) {
  std::vector<KvGroup> groups = {{.layers = 1, .block_tokens = kBlockTokens, .blocks = blocks + 1}};
  if (window != 0) {
    groups.push_back(
        {.layers = 1, .block_tokens = kBlockTokens, .blocks = blocks + 1, .window = window});
  }
  return groups;
}

Sequence make_sequence(std::uint64_t id, std::vector<TokenId> tokens, std::uint32_t groups) {
  auto request = std::make_shared<Request>();
  request->prompt = tokens;
  Sequence seq;
  seq.id = SeqId{id};
  seq.request = std::move(request);
  seq.prompt_count = static_cast<std::uint32_t>(tokens.size());
  seq.tokens = std::move(tokens);
  seq.length_max = 1000;
  seq.has_begun = true;
  seq.state = SeqState::kRunning;
  seq.tables.resize(groups);
  return seq;
}

std::vector<TokenId> count_up(std::size_t count) {
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<TokenId>(i);
  return tokens;
}

void compute(KvLedger& ledger, Sequence& seq, std::uint32_t end) {
  ledger.reserve(seq, end);
  seq.computed = seq.planned = end;
  ledger.settle(seq);
}

void admit(KvLedger& ledger, Sequence& seq, std::vector<BlockCopy>& copies) {
  ledger.begin_step(1);
  ledger.admit(seq, ledger.match(seq, seq.known() - 1), copies);
  ledger.end_step();
}

TEST(KvLedger, WhatIsReleasedStaysCachedAndIsMatched) {
  KvLedger ledger(groups_of(10), true);
  std::vector<BlockCopy> copies;
  Sequence first = make_sequence(1, count_up(10), 1);
  admit(ledger, first, copies);
  compute(ledger, first, 10);
  EXPECT_EQ(first.published, 2u);
  ledger.release(first);
  EXPECT_EQ(ledger.pool(0).cached_count(), 2u);
  EXPECT_EQ(ledger.pool(0).free_count(), 8u);

  Sequence second = make_sequence(2, count_up(8), 1);
  admit(ledger, second, copies);
  EXPECT_EQ(second.computed, 7u);  // one block shared, three tokens of a copy
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].dst, second.tables[0][1]);
  const Sequence* all[] = {&second};
  EXPECT_TRUE(ledger.check(all).is_ok());
}

TEST(KvLedger, EqualBlocksComputedTwiceBecomeOne) {
  KvLedger ledger(groups_of(10), true);
  std::vector<BlockCopy> copies;
  Sequence a = make_sequence(1, count_up(9), 1);
  Sequence b = make_sequence(2, count_up(9), 1);
  admit(ledger, a, copies);
  admit(ledger, b, copies);
  compute(ledger, a, 9);
  compute(ledger, b, 9);
  EXPECT_EQ(a.tables[0][0], b.tables[0][0]);
  EXPECT_EQ(a.tables[0][1], b.tables[0][1]);
  EXPECT_NE(a.tables[0][2], b.tables[0][2]);
  EXPECT_EQ(ledger.pool(0).referenced_count(), 4u);
}

TEST(KvLedger, AForkSharesWholeBlocksAndCopiesTheRest) {
  KvLedger ledger(groups_of(10), false);
  std::vector<BlockCopy> copies;
  Sequence lead = make_sequence(1, count_up(11), 1);
  admit(ledger, lead, copies);
  compute(ledger, lead, 10);
  ASSERT_TRUE(ledger.can_fork(lead, 10));
  Sequence branch = make_sequence(2, count_up(11), 1);
  ledger.begin_step(2);
  ledger.fork(lead, branch, 10, copies);
  EXPECT_EQ(ledger.pool(0).owners(lead.tables[0][0]), 2u);
  EXPECT_EQ(ledger.pool(0).owners(lead.tables[0][2]), 2u);  // pinned as the source
  ledger.end_step();
  EXPECT_EQ(ledger.pool(0).owners(lead.tables[0][2]), 1u);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].src, lead.tables[0][2]);
  EXPECT_EQ(copies[0].dst, branch.tables[0][2]);
}

TEST(KvLedger, RejectedDraftsGiveTheirBlocksBack) {
  KvLedger ledger(groups_of(10), true);
  std::vector<BlockCopy> copies;
  Sequence seq = make_sequence(1, count_up(5), 1);
  admit(ledger, seq, copies);
  ledger.reserve(seq, 14);
  EXPECT_EQ(seq.tables[0].size(), 4u);
  seq.computed = seq.planned = 5;
  ledger.settle(seq);
  EXPECT_EQ(seq.tables[0].size(), 2u);
  EXPECT_EQ(ledger.pool(0).free_count(), 8u);
}

TEST(KvLedger, BehindTheWindowIsZeroAndFree) {
  KvLedger ledger(groups_of(10, 5), true);
  std::vector<BlockCopy> copies;
  Sequence seq = make_sequence(1, count_up(31), 2);
  admit(ledger, seq, copies);
  compute(ledger, seq, 30);
  EXPECT_EQ(seq.tables[0].size(), 8u);
  EXPECT_EQ(seq.tables[1][5], 0);
  EXPECT_NE(seq.tables[1][6], 0);
  EXPECT_EQ(ledger.pool(1).referenced_count(), 2u);
  EXPECT_EQ(ledger.pool(1).cached_count(), 6u);
  const Sequence* all[] = {&seq};
  EXPECT_TRUE(ledger.check(all).is_ok());
}

TEST(KvLedger, CheckSeesALostAndAnInventedOwner) {
  KvLedger ledger(groups_of(4), true);
  std::vector<BlockCopy> copies;
  Sequence seq = make_sequence(1, count_up(7), 1);
  admit(ledger, seq, copies);
  compute(ledger, seq, 7);
  EXPECT_FALSE(ledger.check({}).is_ok());
  const Sequence* twice[] = {&seq, &seq};
  EXPECT_FALSE(ledger.check(twice).is_ok());
}

// --- the twin ---

// What a block holds, as written: the token and position of each slot, and the prefix before it.
using Slot = std::pair<TokenId, std::uint32_t>;
struct PlainMemory {
  std::vector<std::vector<std::vector<Slot>>> groups;  // [groups][blocks][block_tokens]
  PlainMemory(std::uint32_t count, std::uint32_t blocks)
      : groups(count, std::vector<std::vector<Slot>>(blocks + 1, std::vector<Slot>(kBlockTokens))) {
  }
  void copy(const std::vector<BlockCopy>& copies) {
    for (const BlockCopy& it : copies) {
      groups[it.group][static_cast<std::size_t>(it.dst)] =
          groups[it.group][static_cast<std::size_t>(it.src)];
    }
  }
  Slot& at(const Sequence& seq, std::uint32_t g, std::uint32_t position) {
    const auto block = static_cast<std::size_t>(seq.tables[g][position / kBlockTokens]);
    return groups[g][block][position % kBlockTokens];
  }
};

class LedgerTwin {
 public:
  LedgerTwin(std::uint64_t seed, std::uint32_t window)
      : dice_(seed),
        groups_(groups_of(kBlocks, window)),
        ledger_(groups_, true),
        memory_(static_cast<std::uint32_t>(groups_.size()), kBlocks) {}

  void step() {
    ledger_.begin_step(++step_);
    std::vector<BlockCopy> copies;
    const std::uint32_t what = dice_.below(10);
    if (what < 3) {
      arrive(copies);
    } else if (what < 4) {
      fork(copies);
    } else if (what < 8) {
      grow();
    } else if (!live_.empty()) {
      const auto it = pick();
      ledger_.release(*it);
      live_.erase(it);
    }
    memory_.copy(copies);
    ledger_.end_step();
  }

  void check() {
    std::vector<const Sequence*> all;
    for (const Sequence& seq : live_) all.push_back(&seq);
    const Status status = ledger_.check(all);
    ASSERT_TRUE(status.is_ok()) << status.message();
    for (const Sequence& seq : live_) {
      for (std::uint32_t g = 0; g < ledger_.groups(); ++g) {
        const std::uint32_t first = ledger_.first_visible(g, seq.computed) * kBlockTokens;
        for (std::uint32_t p = first; p < seq.computed; ++p) {
          ASSERT_EQ(memory_.at(seq, g, p), Slot(seq.tokens[p], p)) << "position " << p;
        }
      }
    }
  }
  std::uint64_t hits() const { return hits_; }

 private:
  static constexpr std::uint32_t kBlocks = 24;
  std::list<Sequence>::iterator pick() {
    return std::next(live_.begin(), dice_.below(static_cast<std::uint32_t>(live_.size())));
  }

  void arrive(std::vector<BlockCopy>& copies) {
    std::vector<TokenId> tokens(dice_.between(1, 30));
    for (TokenId& token : tokens) token = static_cast<TokenId>(dice_.below(2));
    Sequence seq = make_sequence(++ids_, tokens, ledger_.groups());
    const PrefixMatch match = ledger_.match(seq, seq.known() - 1);
    const std::vector<std::uint32_t> spare(ledger_.groups(), 0);
    if (!ledger_.can_admit(match, {seq.known(), 30}, spare)) return;
    ledger_.admit(seq, match, copies);
    hits_ += seq.computed > 0;
    live_.push_back(std::move(seq));
  }

  void fork(std::vector<BlockCopy>& copies) {
    if (live_.empty()) return;
    const Sequence& lead = *pick();
    const std::uint32_t at = lead.computed;
    const std::vector<std::uint32_t> spare(ledger_.groups(), 0);
    if (at == 0 || !ledger_.can_fork(lead, at) || !ledger_.can_admit_fork(at, {at + 1, 1}, spare)) {
      return;
    }
    Sequence seq = make_sequence(++ids_, lead.tokens, ledger_.groups());
    ledger_.fork(lead, seq, at, copies);
    live_.push_back(std::move(seq));
  }

  // Computes some tokens, as a step would; sometimes fewer than reserved, as with drafts.
  void grow() {
    if (live_.empty()) return;
    Sequence& seq = *pick();
    ledger_.extend(seq, seq.known() - 1);
    if (seq.computed == seq.known()) seq.tokens.push_back(static_cast<TokenId>(dice_.below(2)));
    const std::uint32_t end = std::min(seq.known(), seq.computed + dice_.between(1, 9));
    const std::uint32_t reserved = end + (dice_.chance(20) ? dice_.below(6) : 0);
    if (!ledger_.can_reserve(seq, reserved)) return;
    ledger_.reserve(seq, reserved);
    for (std::uint32_t g = 0; g < ledger_.groups(); ++g) {
      for (std::uint32_t p = seq.computed; p < end; ++p) memory_.at(seq, g, p) = {seq.tokens[p], p};
    }
    seq.computed = seq.planned = end;
    ledger_.settle(seq);
  }

  Dice dice_;
  std::vector<KvGroup> groups_;
  KvLedger ledger_;
  PlainMemory memory_;
  std::list<Sequence> live_;
  StepId step_ = 0;
  std::uint64_t ids_ = 0, hits_ = 0;
};

class LedgerTwins : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Windows, LedgerTwins, testing::Values(0, 1, 5, 13));

TEST_P(LedgerTwins, TablesAlwaysShowWhatWasWritten) {
  const std::uint64_t seed = 7 + GetParam();
  RecordProperty("seed", std::to_string(seed));
  LedgerTwin twin(seed, GetParam());
  for (int i = 0; i < 100'000; ++i) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " op " << i);
    twin.step();
    twin.check();
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(twin.hits(), 1000u);
}

}  // namespace
}  // namespace quire
