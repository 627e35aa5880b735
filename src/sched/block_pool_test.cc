// BlockPool: examples, and 10^5 random operations against a plain table.
#include "sched/block_pool.h"

#include <gtest/gtest.h>

#include <map>

#include "sched/testing/dice.h"

namespace quire {
namespace {

TEST(BlockPool, ABlockGoesThroughItsStates) {
  BlockPool pool(4);
  EXPECT_EQ(pool.total(), 3u);
  const BlockId block = pool.allocate();
  EXPECT_EQ(block, 1);
  EXPECT_EQ(pool.referenced_count(), 1u);
  pool.publish(block);
  pool.retain(block);
  pool.release(block);
  pool.release(block);
  EXPECT_EQ(pool.cached_count(), 1u);
  EXPECT_EQ(pool.free_count(), 2u);
  pool.retain(block);  // a cache hit
  EXPECT_EQ(pool.cached_count(), 0u);
  pool.release(block);
  pool.withdraw(block);
  EXPECT_EQ(pool.free_count(), 3u);
}

TEST(BlockPool, ZeroIsNeverHandedOutAndNoneTwice) {
  BlockPool pool(33);
  std::map<BlockId, int> seen;
  while (pool.free_count() > 0) ++seen[pool.allocate()];
  EXPECT_EQ(seen.size(), 32u);
  EXPECT_FALSE(seen.contains(0));
}

TEST(BlockPoolDeathTest, MisuseEndsTheProcess) {
  BlockPool pool(3);
  EXPECT_DEATH(pool.release(1), "no owner");
  EXPECT_DEATH(pool.retain(1), "is free");
  EXPECT_DEATH(pool.publish(1), "published by nobody");
  EXPECT_DEATH(pool.release(3), "block 3 of a pool");
  EXPECT_DEATH(pool.release(0), "block 0 of a pool");
  pool.allocate();
  pool.allocate();
  EXPECT_DEATH(pool.allocate(), "no free block");
}

TEST(BlockPool, TwinOfAPlainTable) {
  constexpr std::uint64_t kSeed = 20261121;
  RecordProperty("seed", std::to_string(kSeed));
  Dice dice(kSeed);
  struct Plain {
    std::uint32_t owners = 0;
    bool is_published = false;
  };
  constexpr std::uint32_t kBlocks = 24;
  BlockPool pool(kBlocks);
  std::vector<Plain> plain(kBlocks);
  for (int i = 0; i < 100'000; ++i) {
    const auto block = static_cast<BlockId>(dice.between(1, kBlocks - 1));
    Plain& it = plain[static_cast<std::size_t>(block)];
    switch (dice.below(5)) {
      case 0:
        if (pool.free_count() > 0) {
          Plain& fresh = plain[static_cast<std::size_t>(pool.allocate())];
          ASSERT_TRUE(fresh.owners == 0 && !fresh.is_published) << "seed " << kSeed;
          fresh.owners = 1;
        }
        break;
      case 1:
        if (it.owners > 0 || it.is_published) pool.retain(block), ++it.owners;
        break;
      case 2:
        if (it.owners > 0) pool.release(block), --it.owners;
        break;
      case 3:
        if (it.owners > 0 && !it.is_published) pool.publish(block), it.is_published = true;
        break;
      case 4:
        if (it.is_published) pool.withdraw(block), it.is_published = false;
        break;
    }
    std::uint32_t free = 0, cached = 0, referenced = 0;
    for (std::uint32_t b = 1; b < kBlocks; ++b) {
      const Plain& p = plain[b];
      (p.owners > 0 ? referenced : p.is_published ? cached : free) += 1;
      ASSERT_EQ(pool.owners(static_cast<BlockId>(b)), p.owners) << "seed " << kSeed << " op " << i;
    }
    ASSERT_EQ(pool.free_count(), free) << "seed " << kSeed << " op " << i;
    ASSERT_EQ(pool.cached_count(), cached) << "seed " << kSeed << " op " << i;
    ASSERT_EQ(pool.referenced_count(), referenced) << "seed " << kSeed << " op " << i;
  }
}

}  // namespace
}  // namespace quire
