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
  EXPECT_EQ(kv.block_map, "ffffffff");
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
  const std::string map = world.core().inspect(0).kv.block_map;
  EXPECT_EQ(std::count(map.begin(), map.end(), 's'), 4) << map;  // 16 tokens of the prompt
  world.run_until_idle();
}

TEST(Inspection, ALargePoolIsDrawnInEqualBuckets) {
  ScriptWorld world({}, {.capacity = script_capacity(3000)});
  ASSERT_TRUE(world.submit(ask(400, 100)).is_ok());  // blocks 1 to 100
  world.run_until_idle();
  const KvInspection kv = world.core().inspect(0).kv;
  EXPECT_EQ(kv.blocks_per_letter, 3u);
  EXPECT_EQ(kv.block_map, std::string(33, 'c') + std::string(967, 'f'));
}

}  // namespace
}  // namespace quire
