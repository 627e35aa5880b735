// RadixTree: examples, and 10^5 random operations against a list of prefixes.
#include "sched/radix_tree.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sched/testing/dice.h"

namespace quire {
namespace {

constexpr std::uint32_t kPairTokens = 2;
using Tokens = std::vector<TokenId>;

std::vector<KvGroup> one_group(std::uint32_t blocks) {
  return {{.layers = 1, .block_tokens = kPairTokens, .blocks = blocks}};
}

// Adds a run of whole blocks, blocks numbered from `block`; each is idle afterwards.
RadixNode* add(RadixTree& tree, const CacheNamespace& space, const Tokens& run, BlockId block,
               StepId step) {
  RadixNode* node = tree.root(space);
  for (std::size_t at = 0; at < run.size(); at += kPairTokens) {
    const auto edge = std::span<const TokenId>(run).subspan(at, kPairTokens);
    RadixNode* next = tree.child(node, edge);
    if (next == nullptr) {
      next = tree.insert(node, edge, std::vector<BlockId>{block}, step);
      tree.set_owned(0, block, false);
    }
    ++block;
    node = next;
  }
  return node;
}

TEST(RadixTree, MatchesWholeBlocksAndThenTokens) {
  RadixTree tree(one_group(20));
  const CacheNamespace space;
  add(tree, space, {1, 2, 3, 4, 5, 6}, 1, 1);
  add(tree, space, {1, 2, 3, 9, 5, 6}, 5, 1);  // shares block 1 and one token of the next
  const PrefixMatch whole = tree.match(space, Tokens{1, 2, 3, 4, 5, 7}, 6);
  ASSERT_EQ(whole.path.size(), 2u);
  EXPECT_EQ(whole.path[1]->blocks[0], 2);
  EXPECT_EQ(whole.partial_tokens, 1u);
  EXPECT_EQ(whole.partial->blocks[0], 3);
  const PrefixMatch part = tree.match(space, Tokens{1, 2, 3, 8}, 4);
  EXPECT_EQ(part.path.size(), 1u);
  EXPECT_EQ(part.partial_tokens, 1u);
  const PrefixMatch limited = tree.match(space, Tokens{1, 2, 3, 4, 5, 6}, 5);
  EXPECT_EQ(limited.path.size(), 2u);
  EXPECT_EQ(limited.partial_tokens, 1u);
  EXPECT_TRUE(tree.match(space, Tokens{2, 2}, 2).path.empty());
}

TEST(RadixTree, NamespacesAreApart) {
  RadixTree tree(one_group(20));
  add(tree, {"a", 0, ""}, {1, 2, 3, 4}, 1, 1);
  EXPECT_EQ(tree.match({"a", 0, ""}, Tokens{1, 2, 3, 4}, 4).path.size(), 2u);
  for (const CacheNamespace& other :
       {CacheNamespace{"b", 0, ""}, {"a", 1, ""}, {"a", 0, "s"}, {}}) {
    EXPECT_TRUE(tree.match(other, Tokens{1, 2, 3, 4}, 4).path.empty());
  }
}

TEST(RadixTree, EvictsTheOldestLeaf) {
  RadixTree tree(one_group(20));
  const CacheNamespace space;
  add(tree, space, {1, 2, 3, 4}, 1, 5);
  add(tree, space, {1, 2, 7, 8}, 3, 3);
  add(tree, space, {6, 6}, 9, 4);
  const auto evict = [&] {
    const auto gone = tree.evict(0);
    return gone.empty() ? 0 : gone[0].block;
  };
  EXPECT_EQ(evict(), 4);  // of {7, 8}, used at step 3
  tree.touch(tree.holder(0, 9), 6);
  EXPECT_EQ(evict(), 2);
  EXPECT_EQ(evict(), 1);
  tree.set_owned(0, 9, true);
  EXPECT_EQ(evict(), 0);
  tree.set_owned(0, 9, false);
  EXPECT_EQ(evict(), 9);
  EXPECT_EQ(tree.node_count(), 0u);
}

TEST(RadixTree, AWindowGroupHasHolesAndStaysUsable) {
  std::vector<KvGroup> groups = one_group(20);
  groups.push_back({.layers = 1, .block_tokens = kPairTokens, .blocks = 20, .window = 3});
  RadixTree tree(groups);
  const CacheNamespace space;
  const Tokens run = {1, 2, 3, 4, 5, 6, 7, 8};
  RadixNode* node = tree.root(space);
  for (BlockId block = 1; block <= 4; ++block) {
    node = tree.insert(node, std::span(run).subspan(static_cast<std::size_t>(block - 1) * 2, 2),
                       std::vector<BlockId>{block, block}, 1);
    for (const std::uint32_t g : {0u, 1u}) tree.set_owned(g, block, false);
  }
  EXPECT_EQ(tree.match(space, run, 8).path.size(), 4u);
  EXPECT_EQ(tree.evict(1), (std::vector<GroupBlock>{{1, 1}}));
  EXPECT_EQ(tree.evict(1), (std::vector<GroupBlock>{{1, 2}}));
  // The token at position 8 sees 6 and 7, the one at 4 sees 2 and 3: block 2 is gone there.
  EXPECT_EQ(tree.match(space, run, 8).path.size(), 4u);
  EXPECT_EQ(tree.match(space, run, 5).path.size(), 0u);
  EXPECT_EQ(tree.evict(0), (std::vector<GroupBlock>{{0, 4}, {1, 4}}));  // the leaf as a whole
  EXPECT_EQ(tree.match(space, run, 8).path.size(), 3u);
}

// A prefix ends at a snapshot or nowhere; without it the positions stay.
TEST(RadixTree, AGroupOfStatesHasItsBlocksWhereSnapshotsAre) {
  std::vector<KvGroup> groups = one_group(20);
  groups.push_back({.layers = 1,
                    .holds = GroupHolds::kState,
                    .block_tokens = kPairTokens,
                    .blocks = 20});
  RadixTree tree(groups);
  const CacheNamespace space;
  const Tokens run = {1, 2, 3, 4, 5, 6, 7, 8};
  RadixNode* node = tree.root(space);
  std::vector<RadixNode*> nodes;
  for (BlockId block = 1; block <= 4; ++block) {
    node = tree.insert(node, std::span(run).subspan(static_cast<std::size_t>(block - 1) * 2, 2),
                       std::vector<BlockId>{block, 0}, 1);
    tree.set_owned(0, block, false);
    nodes.push_back(node);
  }
  EXPECT_TRUE(tree.match(space, run, 8).path.empty());
  for (const int depth : {2, 3}) {
    tree.fill(nodes[static_cast<std::size_t>(depth - 1)], 1, depth + 10);
    tree.set_owned(1, depth + 10, false);
  }
  EXPECT_EQ(tree.match(space, run, 8).path.size(), 3u);
  EXPECT_EQ(tree.match(space, run, 5).path.size(), 2u);
  EXPECT_EQ(tree.match(space, run, 5).partial, nullptr);  // no state lies inside a block
  EXPECT_EQ(tree.evict(1), (std::vector<GroupBlock>{{1, 12}}));
  EXPECT_EQ(tree.match(space, run, 5).path.size(), 0u);
  tree.drop(1, 13);
  EXPECT_EQ(tree.node_count(), 4u);
  EXPECT_TRUE(tree.match(space, run, 8).path.empty());
}

TEST(RadixTree, ABareNodeStaysWhileSomebodyStandsOnIt) {
  std::vector<KvGroup> groups = {{.layers = 1,
                                  .holds = GroupHolds::kState,
                                  .block_tokens = kPairTokens,
                                  .blocks = 20}};
  RadixTree tree(groups);
  RadixNode* first = tree.insert(tree.root({}), Tokens{1, 2}, std::vector<BlockId>{0}, 1);
  RadixNode* second = tree.insert(first, Tokens{3, 4}, std::vector<BlockId>{0}, 1);
  tree.arrive(second);
  tree.arrive(second);
  tree.leave(second);
  EXPECT_EQ(tree.node_count(), 2u);
  tree.leave(second);
  EXPECT_EQ(tree.node_count(), 0u);
}

TEST(RadixTree, ClearIsNotRecursive) {
  constexpr BlockId kDepth = 50'000;
  RadixTree tree(one_group(kDepth + 1));
  RadixNode* node = tree.root({});
  for (BlockId block = 1; block <= kDepth; ++block) {
    node = tree.insert(node, Tokens{block, block}, std::vector<BlockId>{block}, 1);
  }
  EXPECT_EQ(tree.clear().size(), static_cast<std::size_t>(kDepth));
  EXPECT_EQ(tree.node_count(), 0u);
}

// The naive twin: every node as its whole prefix, searched from end to end.
struct NaivePrefix {
  Tokens tokens;
  BlockId block;
  StepId last_used;
  std::uint64_t serial;
  bool is_owned;
};

class NaiveTree {
 public:
  std::vector<NaivePrefix> prefixes;

  NaivePrefix* find(const Tokens& tokens) {
    for (NaivePrefix& it : prefixes) {
      if (it.tokens == tokens) return &it;
    }
    return nullptr;
  }
  // Whole blocks matched, and then tokens.
  std::pair<std::size_t, std::size_t> match(const Tokens& tokens) {
    std::size_t whole = 0;
    while ((whole + 1) * kPairTokens <= tokens.size() &&
           find(Tokens(tokens.begin(),
                       tokens.begin() + static_cast<std::ptrdiff_t>((whole + 1) * kPairTokens)))) {
      ++whole;
    }
    std::size_t partial = 0;
    for (const NaivePrefix& it : prefixes) {
      if (it.tokens.size() != (whole + 1) * kPairTokens) continue;
      std::size_t common = 0;
      while (common < tokens.size() && common < it.tokens.size() &&
             tokens[common] == it.tokens[common]) {
        ++common;
      }
      if (common > whole * kPairTokens) partial = std::max(partial, common - whole * kPairTokens);
    }
    return {whole, partial};
  }
  bool is_leaf(const NaivePrefix& prefix) const {
    return std::none_of(prefixes.begin(), prefixes.end(), [&](const NaivePrefix& it) {
      return it.tokens.size() == prefix.tokens.size() + kPairTokens &&
             std::equal(prefix.tokens.begin(), prefix.tokens.end(), it.tokens.begin());
    });
  }
  BlockId evict() {
    auto oldest = prefixes.end();
    for (auto it = prefixes.begin(); it != prefixes.end(); ++it) {
      if (it->is_owned || !is_leaf(*it)) continue;
      if (oldest == prefixes.end() ||
          std::pair(it->last_used, it->serial) < std::pair(oldest->last_used, oldest->serial)) {
        oldest = it;
      }
    }
    if (oldest == prefixes.end()) return 0;
    const BlockId block = oldest->block;
    prefixes.erase(oldest);
    return block;
  }
};

TEST(RadixTree, TwinOfAListOfPrefixes) {
  constexpr std::uint64_t kSeed = 42;
  RecordProperty("seed", std::to_string(kSeed));
  Dice dice(kSeed);
  constexpr BlockId kBlocks = 40;
  RadixTree tree(one_group(kBlocks));
  NaiveTree naive;
  std::vector<BlockId> free;
  for (BlockId block = 1; block < kBlocks; ++block) free.push_back(block);
  std::uint64_t serial = 0;
  for (StepId step = 1; step <= 100'000; ++step) {
    Tokens run(dice.between(1, 9));
    for (TokenId& token : run) token = static_cast<TokenId>(dice.below(3));
    const std::uint32_t what = dice.below(10);
    if (what < 4) {  // publish the run's whole blocks
      RadixNode* node = tree.root({});
      Tokens prefix;
      for (std::size_t at = 0; at + kPairTokens <= run.size() && !free.empty();
           at += kPairTokens) {
        const auto edge = std::span<const TokenId>(run).subspan(at, kPairTokens);
        prefix.insert(prefix.end(), edge.begin(), edge.end());
        RadixNode* next = tree.child(node, edge);
        ASSERT_EQ(next != nullptr, naive.find(prefix) != nullptr) << "seed " << kSeed;
        if (next == nullptr) {
          next = tree.insert(node, edge, std::span(&free.back(), 1), step);
          naive.prefixes.push_back({prefix, free.back(), step, ++serial, true});
          free.pop_back();
        }
        node = next;
      }
    } else if (what < 7) {
      const PrefixMatch found = tree.match({}, run, static_cast<std::uint32_t>(run.size()));
      const auto [whole, partial] = naive.match(run);
      ASSERT_EQ(found.path.size(), whole) << "seed " << kSeed << " step " << step;
      ASSERT_EQ(found.partial_tokens, partial) << "seed " << kSeed << " step " << step;
      Tokens prefix(run.begin(), run.begin() + static_cast<std::ptrdiff_t>(whole * kPairTokens));
      if (whole > 0) {
        NaivePrefix* last = naive.find(prefix);
        ASSERT_EQ(found.path.back()->blocks[0], last->block);
        tree.touch(found.path.back(), step);
        last->last_used = step;
      }
    } else if (what < 9 && !naive.prefixes.empty()) {
      NaivePrefix& it =
          naive.prefixes[dice.below(static_cast<std::uint32_t>(naive.prefixes.size()))];
      it.is_owned = !it.is_owned;
      tree.set_owned(0, it.block, it.is_owned);
    } else {
      const auto gone = tree.evict(0);
      const BlockId expected = naive.evict();
      ASSERT_EQ(gone.empty() ? 0 : gone[0].block, expected) << "seed " << kSeed << " step " << step;
      if (expected != 0) free.push_back(expected);
    }
    ASSERT_EQ(tree.node_count(), naive.prefixes.size());
  }
}

}  // namespace
}  // namespace quire
