// RadixTree: token runs to KV blocks. An edge is one whole block of tokens; a path from a
// namespace's root is a prefix whose KV exists. Children are ordered by their tokens and compared
// token by token: there is no hash, so nothing can collide, and the child that shares the longest
// beginning with a query is a neighbour of its place in the order (that one is copied and
// overwritten from there: reuse is by token, not by block).
//
// A node keeps one block per KV group. Nodes whose block nobody owns are *idle* and stand in one
// list per group in order of last use (a step number, never a clock); eviction takes the oldest, in
// O(log n). In a group without a window only leaves are taken, with all their blocks. In a window
// group any idle block may go and leaves a hole: a prefix stays usable as long as the blocks that
// its next token can see are there. In a group of states a node's block is a snapshot of the state
// at the node's end; most nodes have a hole there, and a prefix is usable only where it ends at a
// snapshot. Blocks of groups as long as the encoder's input are never here.
//
// The tree counts nothing: ownership is BlockPool's, and KvLedger keeps the two in step.
// Engine thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "core/executor.h"

namespace quire {

// Who may share KV: the same tenant (empty: the public one), adapter and salt.
struct CacheNamespace {
  std::string tenant;
  std::int32_t adapter = 0;
  std::string salt;
  auto operator<=>(const CacheNamespace&) const = default;
};

struct RadixNode;
struct RadixOrder {
  using is_transparent = void;
  using Tokens = std::span<const TokenId>;
  using Pointer = std::unique_ptr<RadixNode>;
  bool operator()(const Pointer& a, const Pointer& b) const;
  bool operator()(const Pointer& a, Tokens b) const;
  bool operator()(Tokens a, const Pointer& b) const;
};

struct RadixNode {
  RadixNode* parent = nullptr;
  const CacheNamespace* space = nullptr;  // of a root
  std::vector<TokenId> tokens;            // [block_tokens]; empty in a root
  std::vector<BlockId> blocks;            // [groups]; 0: a hole
  std::uint32_t visitors = 0;             // sequences that stand here: it stays, though bare
  std::vector<std::uint8_t> is_owned;     // [groups]
  std::vector<std::uint8_t> is_listed;    // [groups] stands in the eviction list
  std::set<std::unique_ptr<RadixNode>, RadixOrder> children;
  StepId last_used = 0;
  std::uint64_t serial = 0;  // of creation: breaks ties
};

struct GroupBlock {
  std::uint32_t group = 0;
  BlockId block = 0;
  auto operator<=>(const GroupBlock&) const = default;
};

// What of a token run is in the tree.
struct PrefixMatch {
  std::vector<RadixNode*> path;  // whole blocks, from the root on
  RadixNode* partial = nullptr;  // shares its first partial_tokens with the run after the path
  std::uint32_t partial_tokens = 0;
};

class RadixTree {
 public:
  explicit RadixTree(std::span<const KvGroup> groups);  // all of one block_tokens
  ~RadixTree() { clear(); }

  // At most `limit` tokens. Changes nothing.
  PrefixMatch match(const CacheNamespace& space, std::span<const TokenId> tokens,
                    std::uint32_t limit) const;

  RadixNode* root(const CacheNamespace& space);  // made when absent
  RadixNode* child(const RadixNode* node, std::span<const TokenId> block) const;  // or null
  // The blocks are owned; `tokens` is one block and not yet a child of `parent`.
  RadixNode* insert(RadixNode* parent, std::span<const TokenId> tokens,
                    std::span<const BlockId> blocks, StepId step);
  void fill(RadixNode* node, std::uint32_t group, BlockId block);  // a hole, with an owned block

  // Takes an idle block of a group that may have holes out of the tree.
  void drop(std::uint32_t group, BlockId block);
  // A sequence comes to stand on a node, or goes; a bare leaf goes with its last one.
  void arrive(RadixNode* node) { ++node->visitors; }
  void leave(RadixNode* node);

  void touch(RadixNode* node, StepId step);
  // The first owner came or the last one left.
  void set_owned(std::uint32_t group, BlockId block, bool is_owned);
  RadixNode* holder(std::uint32_t group, BlockId block) const;  // or null

  // Takes the oldest idle block of the group, and what goes with it, out of the tree. Empty: there
  // is none.
  std::vector<GroupBlock> evict(std::uint32_t group);
  // Forgets everything; all the blocks it held.
  std::vector<GroupBlock> clear();

  const std::map<CacheNamespace, RadixNode>& roots() const { return roots_; }
  std::size_t node_count() const { return node_count_; }
  std::uint32_t block_tokens() const { return block_tokens_; }

 private:
  using Place = std::tuple<StepId, std::uint64_t, RadixNode*>;  // last use, serial

  bool may_have_holes(std::uint32_t group) const {
    return groups_[group].window != 0 || !holds_text(groups_[group]);
  }
  bool is_usable_to(std::uint32_t group, std::size_t depth, const RadixNode& last,
                    std::size_t whole_from, std::size_t whole_to) const;
  RadixNode*& place_of(std::uint32_t group, BlockId block);
  bool can_evict(const RadixNode& node, std::uint32_t group) const;
  void list(RadixNode& node);    // enters every eviction list where it belongs
  void unlist(RadixNode& node);  // leaves them, before anything that they are ordered by changes
  void drop_block(RadixNode& node, std::uint32_t group, std::vector<GroupBlock>& dropped);
  void remove_bare(RadixNode* node);
  std::size_t usable_depth(const std::vector<RadixNode*>& path) const;

  std::vector<KvGroup> groups_;
  bool has_states_ = false;
  std::uint32_t block_tokens_;
  std::map<CacheNamespace, RadixNode> roots_;
  std::vector<std::set<Place>> idle_;             // [groups]
  std::vector<std::vector<RadixNode*>> holders_;  // [groups][blocks]
  std::uint64_t serial_ = 0;
  std::size_t node_count_ = 0;  // roots not counted
};

}  // namespace quire
