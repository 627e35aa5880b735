// Long texts with sinks and a window, in as many blocks as the first few: through the engine, whose
// script sees every block that a token reads, and a million positions in the ledger. (A million
// tokens through the engine: sim/endless_test.cc.)
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/testing/world.h"
#include "sched/kv_ledger.h"

namespace quire {
namespace {

constexpr std::uint32_t kTokens = 1'000'000;
constexpr std::uint32_t kScriptTokens = 10'000;  // the script hashes all of a text at each token

// A script whose only group forgets.
ScriptOptions forgetting(std::uint32_t blocks, std::uint32_t block_tokens, std::uint32_t window) {
  ScriptOptions script{.capacity = script_capacity(blocks, block_tokens)};
  script.capacity.groups[0].window = window;
  script.capacity.groups[0].sinks = 4;
  script.capacity.context_max = 1u << 24;
  return script;
}

TEST(EndlessTest, ALongTextReadsItsSinksAndItsWindow) {
  EngineOptions options;
  options.scheduler.tokens_max = 16;  // a chunk needs room beside the window
  ScriptWorld world(options, forgetting(8, 32, 64));
  Request request;
  request.prompt = {5, 6, 7, 8, 9};
  request.params.tokens_max = kScriptTokens;
  request.params.ignore_eos = true;
  ASSERT_TRUE(world.submit(request).is_ok());
  std::uint64_t most = 0;
  while (world.core().has_work()) {
    world.advance();
    most = std::max(most, world.core().stats().blocks_referenced);
  }
  EXPECT_EQ(world.shown(RequestId{1})[0].tokens.size(), kScriptTokens);
  EXPECT_EQ(world.shown(RequestId{1})[0].finish, FinishReason::kLength);
  EXPECT_LE(most, 1 + 64 / 32 + 2u);  // the sinks', the window's, and where the cursor stands
  EXPECT_EQ(world.check_ended(), "");
  EXPECT_EQ(world.check_idle(), "");
}

// Several in a crowd that must make room for each other.
TEST(EndlessTest, ACrowdEqualsEachAlone) {
  EngineOptions options;
  options.is_checking_invariants = true;
  options.scheduler.tokens_max = 24;
  ScriptWorld world(options, forgetting(24, 8, 20));
  for (std::uint32_t i = 0; i < 6; ++i) {
    Request request;
    for (std::uint32_t t = 0; t < 30 + 40 * i; ++t) {
      request.prompt.push_back(static_cast<TokenId>(10 + (t < 30 ? t : t * (i + 1)) % 50));
    }
    request.params.tokens_max = 300;
    request.params.seed = i;
    ASSERT_TRUE(world.submit(request).is_ok());
  }
  world.run_until_idle();
  EXPECT_EQ(world.check_ended(), "");
  EXPECT_EQ(world.check_idle(), "");
}

TEST(EndlessTest, TheLedgerHoldsTheFirstBlocksAndTheLast) {
  for (const bool is_caching : {false, true}) {
    const std::vector<KvGroup> groups = {
        {.layers = 1, .block_tokens = 32, .blocks = 161, .window = 4096, .sinks = 40}};
    KvLedger ledger(groups, is_caching);
    auto request = std::make_shared<Request>();
    Sequence seq;
    seq.id = SeqId{1};
    seq.request = request;
    seq.length_max = kTokens;
    seq.has_begun = true;
    seq.state = SeqState::kRunning;
    seq.tables.resize(1);
    std::uint32_t held_max = 0;
    BlockId first = 0, second = 0;
    for (std::uint32_t end = 32; end <= kTokens; end += 32) {
      for (std::uint32_t i = 0; i < 32; ++i) {
        seq.tokens.push_back(static_cast<TokenId>((end + i) * 2654435761u >> 8 & 0xFFFF));
      }
      ledger.begin_step(end / 32);
      ledger.reserve(seq, end);
      seq.computed = seq.planned = end;
      ledger.end_step();
      ledger.settle(seq);
      const std::vector<BlockId>& table = seq.tables[0];
      if (end == 64) first = table[0], second = table[1];
      if (end % 32000 != 0) continue;
      const auto held = static_cast<std::uint32_t>(
          table.size() - static_cast<std::size_t>(std::count(table.begin(), table.end(), 0)));
      held_max = std::max(held_max, held);
      EXPECT_EQ(table[0], first);  // 40 sinks lie in two blocks
      EXPECT_EQ(table[1], second);
      EXPECT_EQ(table[2], 0);
      const Sequence* all[] = {&seq};
      EXPECT_TRUE(ledger.check(all).is_ok()) << ledger.check(all).message();
    }
    EXPECT_LE(held_max, 2 + 4096 / 32 + 2u) << is_caching;
    EXPECT_NE(first, 0);
    ledger.release(seq);
  }
}

}  // namespace
}  // namespace quire
