#include "sched/block_pool.h"

#include "base/check.h"

namespace quire {

BlockPool::BlockPool(std::uint32_t blocks) : blocks_(blocks) {
  QUIRE_CHECK(blocks >= 2, "a pool of {} blocks has none to hand out", blocks);
  free_.reserve(blocks - 1);
  for (std::uint32_t id = blocks - 1; id >= 1; --id) free_.push_back(static_cast<BlockId>(id));
}

const BlockPool::Block& BlockPool::at(BlockId block) const {
  QUIRE_CHECK(block >= 1 && static_cast<std::size_t>(block) < blocks_.size(),
              "block {} of a pool of {}", block, blocks_.size());
  return blocks_[static_cast<std::size_t>(block)];
}

BlockPool::Block& BlockPool::at(BlockId block) {
  return const_cast<Block&>(static_cast<const BlockPool*>(this)->at(block));
}

BlockId BlockPool::allocate() {
  QUIRE_CHECK(!free_.empty(), "no free block of {}", total());
  const BlockId block = free_.back();
  free_.pop_back();
  Block& it = at(block);
  QUIRE_CHECK(it.owners == 0 && !it.is_published, "block {} was free with {} owners{}", block,
              it.owners, it.is_published ? ", published" : "");
  it.owners = 1;
  return block;
}

void BlockPool::retain(BlockId block) {
  Block& it = at(block);
  QUIRE_CHECK(it.owners > 0 || it.is_published, "block {} is free and cannot be retained", block);
  if (it.owners++ > 0) return;
  QUIRE_CHECK(cached_ > 0, "block {} was cached, and none is counted", block);
  --cached_;
}

void BlockPool::release(BlockId block) {
  Block& it = at(block);
  QUIRE_CHECK(it.owners > 0, "block {} has no owner to release it", block);
  if (--it.owners > 0) return;
  if (it.is_published) {
    ++cached_;
  } else {
    free_.push_back(block);
  }
  QUIRE_CHECK(free_.size() + cached_ <= total(), "{} free and {} cached blocks of {}", free_.size(),
              cached_, total());
}

void BlockPool::publish(BlockId block) {
  Block& it = at(block);
  QUIRE_CHECK(it.owners > 0 && !it.is_published, "block {} is published by nobody or twice", block);
  it.is_published = true;
}

void BlockPool::withdraw(BlockId block) {
  Block& it = at(block);
  QUIRE_CHECK(it.is_published, "block {} is not published", block);
  it.is_published = false;
  if (it.owners == 0) {
    QUIRE_CHECK(cached_ > 0, "block {} was cached, and none is counted", block);
    --cached_;
    free_.push_back(block);
  }
}

}  // namespace quire
