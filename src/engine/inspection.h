// EngineInspection: what the KV memory of an engine looks like at one moment: a letter for every
// block of every KV group, and what the prefix cache holds by age and by depth. Made only when
// somebody asks, by the engine thread between two steps; one walk over the blocks and the tree,
// whose nodes are at most as many as the blocks. No token and no text is in it. Plain values.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace quire {

class Scheduler;

inline constexpr std::uint32_t kBlockLettersMax = 1024;
inline constexpr std::size_t kLargestRunsMax = 10;

struct KvInspection {
  // One KV group; free + cached + referenced are its blocks.
  struct Group {
    // f free, c cached, r referenced, s shared by several. One letter stands for so many blocks
    // (the last one for the rest) and says what most of them are; at a tie, the busier.
    std::string block_map;
    std::uint32_t blocks_per_letter = 1;
    std::uint32_t free = 0;
    std::uint32_t cached = 0;
    std::uint32_t referenced = 0;
    std::uint32_t shared = 0;  // of the referenced: by several sequences
  };
  std::vector<Group> groups;  // as Capacity has them

  // Blocks in the tree with at most `max` of something, and more than the bucket before.
  struct Bucket {
    static constexpr std::uint64_t kRest = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t max = kRest;
    std::uint64_t blocks = 0;
  };
  struct Run {  // a path from a root to a leaf
    std::uint64_t tokens = 0;
    std::uint64_t blocks = 0;
    std::uint64_t steps_ago = 0;  // last used
  };
  std::uint64_t nodes = 0;
  std::uint64_t tree_blocks = 0;  // of the first group
  std::vector<Bucket> by_age;    // steps since they were used
  std::vector<Bucket> by_depth;  // tokens from the root to their end
  std::vector<Run> largest;      // longest first
};

struct EngineInspection {
  std::uint64_t question = 0;
  KvInspection kv;
};

// Engine thread.
KvInspection look_into(const Scheduler& scheduler);

// Of instances with equal groups, as if they were one: maps lie one behind the other, blocks and
// nodes add up, and of the runs the longest of all are kept.
KvInspection join(std::span<const EngineInspection> parts);

}  // namespace quire
