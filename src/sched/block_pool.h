// BlockPool: which blocks of one KV group are free and who counts on the others. It holds ids, no
// memory. A block is in one of three states, by two facts:
//   free        no owner, not published
//   cached      no owner, published: a RadixTree node keeps it until room is needed
//   referenced  owned by sequences (or by a launched copy), published or not
// Invariant: free + cached + referenced = total. Everything is O(1); ids are reused last-in
// first-out, so that a block freed too early is soon overwritten and noticed.
// Engine thread; used by KvLedger.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace quire {

class BlockPool {
 public:
  // Ids 1..blocks-1; id 0 is padding and never handed out.
  explicit BlockPool(std::uint32_t blocks);

  std::uint32_t total() const { return static_cast<std::uint32_t>(blocks_.size()) - 1; }
  std::uint32_t free_count() const { return static_cast<std::uint32_t>(free_.size()); }
  std::uint32_t cached_count() const { return cached_; }
  std::uint32_t referenced_count() const { return total() - free_count() - cached_; }
  std::uint32_t owners(BlockId block) const { return at(block).owners; }
  bool is_published(BlockId block) const { return at(block).is_published; }

  BlockId allocate();            // one owner; free_count() > 0
  void retain(BlockId block);    // one owner more
  void release(BlockId block);   // one owner fewer
  void publish(BlockId block);   // a tree node keeps it from now on
  void withdraw(BlockId block);  // no longer

 private:
  struct Block {
    std::uint32_t owners = 0;
    bool is_published = false;
  };
  const Block& at(BlockId block) const;
  Block& at(BlockId block);

  std::vector<Block> blocks_;
  std::vector<BlockId> free_;
  std::uint32_t cached_ = 0;
};

}  // namespace quire
