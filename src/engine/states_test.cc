// Groups and states through EngineCore: what a hybrid model (attention, local attention, recurrent
// layers) computes twice and what it holds, in counts. That the answers are right is compared with
// the oracle throughout.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "engine/testing/world.h"
#include "sched/testing/dice.h"

namespace quire {
namespace {

constexpr std::uint32_t kBlock = 32;
constexpr std::uint32_t kPositions = 0, kLocal = 1, kState = 2;

ScriptOptions hybrid(std::uint32_t states, std::uint32_t depth = 1, std::uint32_t window = 512) {
  ScriptOptions script{.capacity = script_capacity(2000, kBlock)};
  Capacity& capacity = script.capacity;
  capacity.context_max = 1 << 16;
  capacity.depth = depth;
  capacity.groups.push_back({.name = "local",
                             .layers = 1,
                             .block_tokens = kBlock,
                             .blocks = 2000,
                             .window = window});
  capacity.groups.push_back({.name = "recurrent",
                             .layers = 1,
                             .holds = GroupHolds::kState,
                             .block_tokens = kBlock,
                             .blocks = states + 1});
  return script;
}

std::vector<TokenId> words(std::size_t count, std::uint64_t seed) {
  Dice dice(seed);
  std::vector<TokenId> tokens(count);
  for (TokenId& token : tokens) token = static_cast<TokenId>(dice.below(1000));
  return tokens;
}

// Runs it alone; what it says, and how many of its prompt tokens had to be computed.
struct QueueTurn {
  std::vector<TokenId> answer;
  std::uint64_t computed = 0;  // of the prompt
};
QueueTurn take_turn(ScriptWorld& world, Request request, std::uint64_t id) {
  request.id = RequestId{id};
  const std::uint64_t before = world.core().stats().computed_tokens;
  EXPECT_TRUE(world.submit(request).is_ok());
  world.run_until_idle();
  QueueTurn turn;
  turn.answer = world.shown(request.id)[0].tokens;
  turn.computed = world.core().stats().computed_tokens - before - (turn.answer.size() - 1);
  EXPECT_EQ(world.check_ended(), "");
  return turn;
}

class States : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Depths, States, testing::Values(1, 2, 4));

TEST_P(States, AConversationComputesItsNewTokensAndOneBlockATurn) {
  ScriptWorld world(checked_options(), hybrid(40, GetParam()));
  std::vector<TokenId> text;
  for (std::uint64_t turn = 1; turn <= 10; ++turn) {
    const std::vector<TokenId> message = words(40 + 7 * turn, turn);
    // Of the answer before, only the last token was never fed.
    const std::uint64_t fresh = message.size() + (turn > 1 ? 1 : 0);
    text.insert(text.end(), message.begin(), message.end());
    const QueueTurn taken = take_turn(world, ask_seeded(text, 50 + static_cast<int>(turn)), turn);
    EXPECT_LE(taken.computed, fresh + kBlock) << "turn " << turn;
    std::printf("FIGURE turn %llu of a hybrid, depth %u: prompt of %zu, %llu new, %llu computed\n",
                static_cast<unsigned long long>(turn), GetParam(), text.size(),
                static_cast<unsigned long long>(fresh),
                static_cast<unsigned long long>(taken.computed));
    text.insert(text.end(), taken.answer.begin(), taken.answer.end());
  }
  EXPECT_EQ(world.check_idle(), "");
}

TEST_P(States, SixteenEqualPromptsAtOnceComputeOne) {
  for (const std::size_t prompt : {100u, 1000u, 3000u}) {
    ScriptWorld world(checked_options(), hybrid(60, GetParam()));
    for (std::uint64_t i = 0; i < 16; ++i) {
      Request request = ask_seeded(words(prompt, 5), 3);
      request.params.seed = i;
      ASSERT_TRUE(world.submit(request).is_ok());
    }
    world.run_until_idle();
    // The prompt once; then each what lies behind its last whole block, and two of its own tokens.
    const std::uint64_t computed = world.core().stats().computed_tokens - 16 * 2;
    EXPECT_LE(computed, prompt + 15 * kBlock);
    std::printf("FIGURE 16 equal prompts of %zu on a hybrid at depth %u: %llu tokens computed\n",
                prompt, GetParam(), static_cast<unsigned long long>(computed));
    EXPECT_EQ(world.check_ended(), "");
    EXPECT_EQ(world.check_idle(), "");
  }
}

// Fewer states than the snapshots that were wanted: more is computed, nothing else is said.
TEST_P(States, APoolTooSmallForSnapshotsOnlyComputesMore) {
  std::vector<std::vector<TokenId>> ample;
  std::uint64_t computed_before = 0;
  for (const std::uint32_t states : {60u, 6u, 3u, 2u, 1u}) {
    ScriptWorld world(checked_options(), hybrid(states, GetParam()));
    std::vector<std::vector<TokenId>> answers;
    std::vector<std::vector<TokenId>> texts(4);
    for (std::uint64_t turn = 0; turn < 6; ++turn) {
      for (std::uint64_t talk = 0; talk < texts.size(); ++talk) {
        const std::vector<TokenId> message = words(60, turn * 10 + talk);
        texts[talk].insert(texts[talk].end(), message.begin(), message.end());
        Request request = ask_seeded(texts[talk], 40);
        request.id = RequestId{turn * 10 + talk + 1};
        ASSERT_TRUE(world.submit(request).is_ok());
      }
      world.run_until_idle();
      for (std::uint64_t talk = 0; talk < texts.size(); ++talk) {
        const auto& answer = world.shown(RequestId{turn * 10 + talk + 1})[0].tokens;
        texts[talk].insert(texts[talk].end(), answer.begin(), answer.end());
        answers.push_back(answer);
      }
      ASSERT_EQ(world.check_ended(), "");
    }
    if (ample.empty()) ample = answers;
    EXPECT_EQ(answers, ample);
    const std::uint64_t computed = world.core().stats().computed_tokens;
    EXPECT_GE(computed, computed_before);
    computed_before = computed;
    std::printf("FIGURE 4 talks of 6 turns, %u states, depth %u: %llu tokens computed\n", states,
                GetParam(), static_cast<unsigned long long>(computed));
  }
}

TEST_P(States, AWindowHoldsEighteenBlocks) {
  ScriptWorld world(checked_options(), hybrid(4, GetParam()));
  Request request = ask_seeded(words(8100, 3), 200);
  request.id = RequestId{1};
  ASSERT_TRUE(world.submit(request).is_ok());
  std::uint32_t held_max = 0, at_end = 0;
  while (world.core().has_work()) {
    world.advance();
    const Sequence* seq = world.core().scheduler().find(SeqId{1});
    if (seq == nullptr) break;
    const auto& table = seq->tables[kLocal];
    const auto held = static_cast<std::uint32_t>(
        std::count_if(table.begin(), table.end(), [](BlockId block) { return block != 0; }));
    if (seq->rows_in_flight == 0 || seq->computed > 8100) held_max = std::max(held_max, held);
    if (seq->computed >= 8192) at_end = std::max(at_end, held);
    EXPECT_EQ(seq->tables[kState].size(), 1u);
  }
  EXPECT_LE(held_max, 18u);
  EXPECT_LE(at_end, 18u);
  EXPECT_GT(at_end, 0u);
  std::printf("FIGURE window 512 at 8192 positions, depth %u: %u blocks of a local group held\n",
              GetParam(), at_end);
  world.run_until_idle();
  EXPECT_EQ(world.check_ended(), "");  // the oracle keeps everything and masks
  EXPECT_EQ(world.check_idle(), "");
}

TEST_P(States, BranchesCopyTheStateBeforeTheLastPromptToken) {
  ScriptWorld world(checked_options(), hybrid(20, GetParam()));
  Request request = ask_seeded(words(75, 8), 12);
  request.n = 4;
  ASSERT_TRUE(world.submit(request).is_ok());
  world.run_until_idle();
  // 74 tokens once, then each branch feeds the last prompt token and 11 of its own.
  EXPECT_EQ(world.core().stats().computed_tokens, 74u + 4 * 12);
  EXPECT_EQ(world.check_ended(), "");
  EXPECT_EQ(world.check_idle(), "");
}

TEST_P(States, SnapshotsLieWhereAnotherRequestMayGoOn) {
  ScriptWorld world(checked_options(), hybrid(40, GetParam()));
  const std::vector<TokenId> common = words(3000, 1);
  Request first = ask_seeded(common, 2);
  first.message_ends = {70, 75, 1500};
  take_turn(world, first, 1);
  const auto computed_behind = [&](std::size_t shared, std::uint64_t id) {
    std::vector<TokenId> prompt = common;
    prompt.resize(shared);
    const std::vector<TokenId> own = words(10, 100 + id);
    prompt.insert(prompt.end(), own.begin(), own.end());
    return take_turn(world, ask_seeded(prompt, 2), id).computed;
  };
  EXPECT_EQ(computed_behind(70, 2), 80u - 64);       // the end of a message
  EXPECT_EQ(computed_behind(1500, 3), 1510u - 1472);
  EXPECT_EQ(computed_behind(1400, 4), 1410u - 1024); // every so often
  EXPECT_EQ(computed_behind(3000, 5), 3010u - 2976); // the last whole block
  EXPECT_EQ(computed_behind(40, 6), 50u);            // nowhere
}

// 96 positions are computed, three whole blocks: the state goes to the tree without a copy.
TEST(States, WhoEndsWhereABlockEndsGivesItsState) {
  ScriptWorld world(checked_options(), hybrid(3));
  const QueueTurn turn = take_turn(world, ask_seeded(words(70, 1), 27), 1);
  EXPECT_EQ(world.script().copies(), 1u);  // at position 64; the one at 96 was the current one
  const BlockPool& pool = world.core().scheduler().ledger().pool(kState);
  EXPECT_EQ(pool.cached_count(), 2u);
  std::vector<TokenId> text = words(70, 1);
  text.insert(text.end(), turn.answer.begin(), turn.answer.end());
  EXPECT_EQ(take_turn(world, ask_seeded(text, 1), 2).computed, 1u);
}

// Text that grows keeps one snapshot behind the prompt, and one every 1,024 positions.
TEST(States, OlderSnapshotsAreThinnedOut) {
  ScriptWorld world(checked_options(), hybrid(500));
  take_turn(world, ask_seeded(words(70, 1), 2000), 1);
  const KvLedger& ledger = world.core().scheduler().ledger();
  EXPECT_EQ(ledger.pool(kState).cached_count(), 3u);  // at 64, 1024 and 2048
  EXPECT_GT(ledger.pool(kPositions).cached_count(), 60u);
}

TEST(States, DraftsLeaveTheStateOfTheLastAcceptedToken) {
  for (const std::uint32_t states : {1u, 2u, 3u, 4u, 30u}) {
    ScriptOptions script = hybrid(states, 2);
    script.drafts_max = 5;
    ScriptWorld world(checked_options(), script);
    for (std::uint64_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(world.submit(ask_seeded(words(20 + 30 * i, i), 150)).is_ok());
    }
    world.run_until_idle();
    const std::uint64_t accepted = world.script().drafts_accepted();
    EXPECT_TRUE(states == 1 ? accepted == 0 : states < 30 || accepted > 100) << accepted;
    EXPECT_EQ(world.check_ended(), "");
    EXPECT_EQ(world.check_idle(), "");
  }
}

}  // namespace
}  // namespace quire
