// What a look inside shows, for small worlds that a reader can follow. That its numbers agree with
// the ledger's at any moment is worlds_test's.
#include "engine/inspection.h"

#include <gtest/gtest.h>

#include "engine/testing/world.h"

namespace quire {
namespace {

Request ask(std::size_t prompt_tokens, TokenId first, int tokens_max = 2, int n = 1) {
  Request request;
  for (std::size_t i = 0; i < prompt_tokens; ++i) {
    request.prompt.push_back(first + static_cast<TokenId>(i % 50));
  }
  request.params.tokens_max = tokens_max;
  request.n = n;
  return request;
}

std::uint64_t blocks_up_to(const std::vector<KvInspection::Bucket>& buckets, std::uint64_t max) {
  std::uint64_t blocks = 0;
  for (const auto& bucket : buckets) blocks += bucket.max <= max ? bucket.blocks : 0;
  return blocks;
}

TEST(Inspection, AnEmptyEngineIsFree) {
  ScriptWorld world({}, {.capacity = script_capacity(8)});
  const KvInspection kv = world.core().inspect(7).kv;
  EXPECT_EQ(world.core().inspect(7).question, 7u);
  EXPECT_EQ(kv.groups[0].block_map, "ffffffff");
  EXPECT_EQ(kv.nodes, 0u);
  EXPECT_TRUE(kv.largest.empty());
}

TEST(Inspection, FinishedTextsAreRunsByLengthAndAge) {
  ScriptWorld world({}, {.capacity = script_capacity(500)});  // blocks of 4 tokens
  ASSERT_TRUE(world.submit(ask(1000, 100)).is_ok());
  world.run_until_idle();
  ASSERT_TRUE(world.submit(ask(40, 300, 30)).is_ok());
  world.run_until_idle();
  const KvInspection kv = world.core().inspect(0).kv;
  EXPECT_EQ(kv.tree_blocks, 250u + 17u);  // (40 + 29) / 4
  EXPECT_EQ(blocks_up_to(kv.by_depth, 128), 32u + 17u);
  EXPECT_EQ(blocks_up_to(kv.by_depth, 512), 128u + 17u);
  EXPECT_EQ(blocks_up_to(kv.by_age, 10), 17u) << "the first was used more than ten steps ago";
  ASSERT_EQ(kv.largest.size(), 2u);
  EXPECT_EQ(kv.largest[0].tokens, 1000u);
  EXPECT_EQ(kv.largest[0].blocks, 250u);
  EXPECT_GT(kv.largest[0].steps_ago, kv.largest[1].steps_ago);
}

TEST(Inspection, BranchesShareBlocks) {
  ScriptWorld world({}, {.capacity = script_capacity(40)});
  ASSERT_TRUE(world.submit(ask(17, 100, 30, 3)).is_ok());
  for (int step = 0; step < 4; ++step) world.advance();
  const KvInspection::Group group = world.core().inspect(0).kv.groups[0];
  const std::string& map = group.block_map;
  EXPECT_EQ(std::count(map.begin(), map.end(), 's'), 4) << map;  // 16 tokens of the prompt
  EXPECT_EQ(group.shared, 4u);
  EXPECT_EQ(group.free + group.cached + group.referenced, 40u);
  world.run_until_idle();
}

TEST(Inspection, ALargePoolIsDrawnInEqualBuckets) {
  ScriptWorld world({}, {.capacity = script_capacity(3000)});
  ASSERT_TRUE(world.submit(ask(400, 100)).is_ok());  // blocks 1 to 100
  world.run_until_idle();
  const KvInspection kv = world.core().inspect(0).kv;
  EXPECT_EQ(kv.groups[0].blocks_per_letter, 3u);
  EXPECT_EQ(kv.groups[0].block_map, std::string(33, 'c') + std::string(967, 'f'));
}

// A local group lets go of what fell behind its window while the other keeps it all.
TEST(Inspection, EveryGroupHasAMapOfItsOwn) {
  ScriptOptions script{.capacity = script_capacity(40)};
  script.capacity.groups.push_back(
      {.name = "window", .layers = 1, .block_tokens = 4, .blocks = 21, .window = 8});
  ScriptWorld world({}, script);
  ASSERT_TRUE(world.submit(ask(32, 100, 12)).is_ok());
  for (int step = 0; step < 8; ++step) world.advance();
  const std::vector<KvInspection::Group> groups = world.core().inspect(0).kv.groups;
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].block_map.size(), 40u);
  EXPECT_EQ(groups[1].block_map.size(), 20u);
  EXPECT_EQ(groups[0].referenced, 10u) << "of 32 to 40 positions, by 4";
  EXPECT_LE(groups[1].referenced, 4u) << "a window of 8, and a block cut at either end";
  EXPECT_GE(groups[1].referenced, 2u);
  world.run_until_idle();
}

// A sequence owns one state; what it leaves of it are snapshots, cached.
TEST(Inspection, AGroupOfStatesCountsStates) {
  ScriptOptions script{.capacity = script_capacity(40)};
  script.capacity.groups.push_back({.name = "state",
                                    .layers = 1,
                                    .holds = GroupHolds::kState,
                                    .block_tokens = 4,
                                    .blocks = 13});
  ScriptWorld world({}, script);
  ASSERT_TRUE(world.submit(ask(17, 100, 8)).is_ok());
  for (int step = 0; step < 4; ++step) world.advance();
  const std::vector<KvInspection::Group> running = world.core().inspect(0).kv.groups;
  ASSERT_EQ(running.size(), 2u);
  EXPECT_EQ(running[1].block_map.size(), 12u);
  EXPECT_EQ(std::count(running[1].block_map.begin(), running[1].block_map.end(), 'r'), 1);
  EXPECT_GE(running[0].referenced, 5u);
  world.run_until_idle();
  const std::vector<KvInspection::Group> idle = world.core().inspect(0).kv.groups;
  EXPECT_EQ(idle[1].referenced, 0u);
  EXPECT_GT(idle[1].cached, 0u) << "somebody may go on from there";
  EXPECT_EQ(idle[1].free + idle[1].cached, 12u);
}

}  // namespace
}  // namespace quire
