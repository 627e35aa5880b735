#include "sched/radix_tree.h"

#include <algorithm>

#include "base/check.h"

namespace quire {
namespace {

bool is_less(std::span<const TokenId> a, std::span<const TokenId> b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

std::uint32_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::uint32_t>(end.first - a.begin());
}

}  // namespace

bool RadixOrder::operator()(const Pointer& a, const Pointer& b) const {
  return is_less(a->tokens, b->tokens);
}
bool RadixOrder::operator()(const Pointer& a, Tokens b) const { return is_less(a->tokens, b); }
bool RadixOrder::operator()(Tokens a, const Pointer& b) const { return is_less(a, b->tokens); }

RadixTree::RadixTree(std::span<const KvGroup> groups)
    : groups_(groups.begin(), groups.end()), idle_(groups.size()) {
  QUIRE_CHECK(!groups_.empty(), "a tree without KV groups");
  block_tokens_ = groups_.front().block_tokens;
  for (const KvGroup& group : groups_) {
    QUIRE_CHECK(group.block_tokens == block_tokens_, "groups with blocks of {} and {} tokens",
                group.block_tokens, block_tokens_);
    holders_.emplace_back(group.blocks, nullptr);
    has_states_ |= holds_states(group);
  }
}

RadixNode* RadixTree::root(const CacheNamespace& space) {
  const auto [it, is_new] = roots_.try_emplace(space);
  if (is_new) it->second.space = &it->first;
  return &it->second;
}

RadixNode* RadixTree::child(const RadixNode* node, std::span<const TokenId> block) const {
  QUIRE_CHECK(node != nullptr && block.size() == block_tokens_, "an edge of {} tokens",
              block.size());
  const auto it = node->children.find(block);
  return it == node->children.end() ? nullptr : it->get();
}

// Does the next token see no hole in the group, if a path of `depth` nodes has its first hole at
// node `whole_to` and its last one before `whole_from`?
bool RadixTree::is_usable_to(std::uint32_t group, std::size_t depth, const RadixNode& last,
                             std::size_t whole_from, std::size_t whole_to) const {
  if (holds_states(groups_[group])) return last.blocks[group] != 0;
  if (!holds_text(groups_[group])) return true;
  const std::uint64_t position = depth * block_tokens_;
  const std::uint64_t window = groups_[group].window;
  const std::uint64_t visible = window == 0 || position < window ? 0 : position - window + 1;
  // With a window of one token nothing before it is seen; its own block is not on the path.
  return whole_from * block_tokens_ <= visible &&
         whole_to >= std::min<std::size_t>(sink_blocks(groups_[group]), depth);
}

// How much of the path can be used: the deepest node from which the next token sees no hole.
std::size_t RadixTree::usable_depth(const std::vector<RadixNode*>& path) const {
  std::vector<std::size_t> whole_from(groups_.size(), 0);  // after the last hole so far
  std::vector<std::size_t> whole_to(groups_.size(), path.size());  // the first hole
  std::size_t usable = 0;
  for (std::size_t depth = 1; depth <= path.size(); ++depth) {
    bool is_usable = true;
    for (std::uint32_t g = 0; g < groups_.size(); ++g) {
      if (path[depth - 1]->blocks[g] == 0) {
        whole_from[g] = depth;
        whole_to[g] = std::min(whole_to[g], depth - 1);
      }
      is_usable &= is_usable_to(g, depth, *path[depth - 1], whole_from[g], whole_to[g]);
    }
    if (is_usable) usable = depth;
  }
  return usable;
}

PrefixMatch RadixTree::match(const CacheNamespace& space, std::span<const TokenId> tokens,
                             std::uint32_t limit) const {
  PrefixMatch found;
  const auto root = roots_.find(space);
  if (root == roots_.end()) return found;
  tokens = tokens.first(std::min<std::size_t>(tokens.size(), limit));
  const RadixNode* node = &root->second;
  while ((found.path.size() + 1) * block_tokens_ <= tokens.size()) {
    RadixNode* next = child(node, tokens.subspan(found.path.size() * block_tokens_, block_tokens_));
    if (next == nullptr) break;
    found.path.push_back(next);
    node = next;
  }
  found.path.resize(usable_depth(found.path));
  if (has_states_) return found;  // a state in the middle of a block is nowhere
  node = found.path.empty() ? &root->second : found.path.back();

  auto rest = tokens.subspan(found.path.size() * block_tokens_);
  rest = rest.first(std::min<std::size_t>(rest.size(), block_tokens_));
  auto it = node->children.lower_bound(rest);
  const auto consider = [&](RadixNode* candidate) {
    const std::uint32_t common = common_prefix(rest, candidate->tokens);
    const bool has_holes =
        std::find(candidate->blocks.begin(), candidate->blocks.end(), 0) != candidate->blocks.end();
    if (common <= found.partial_tokens || has_holes) return;
    found.partial = candidate;
    found.partial_tokens = common;
  };
  if (it != node->children.end()) consider(it->get());
  if (it != node->children.begin()) consider((--it)->get());
  return found;
}

RadixNode* RadixTree::insert(RadixNode* parent, std::span<const TokenId> tokens,
                             std::span<const BlockId> blocks, StepId step) {
  QUIRE_CHECK(tokens.size() == block_tokens_ && blocks.size() == groups_.size(),
              "an edge of {} tokens and {} blocks", tokens.size(), blocks.size());
  auto node = std::make_unique<RadixNode>();
  RadixNode* added = node.get();
  added->parent = parent;
  added->tokens.assign(tokens.begin(), tokens.end());
  added->blocks.resize(groups_.size());
  added->is_owned.resize(groups_.size());
  added->is_listed.resize(groups_.size());
  added->last_used = step;
  added->serial = ++serial_;
  unlist(*parent);  // it is a leaf no more
  const bool is_new = parent->children.insert(std::move(node)).second;
  QUIRE_CHECK(is_new, "block {} is already in the tree", blocks[0]);
  list(*parent);
  ++node_count_;
  for (std::uint32_t g = 0; g < groups_.size(); ++g) {
    if (blocks[g] != 0) fill(added, g, blocks[g]);
  }
  return added;
}

void RadixTree::fill(RadixNode* node, std::uint32_t group, BlockId block) {
  QUIRE_CHECK(node->parent != nullptr && block != 0, "a root, or no block, would be filled");
  QUIRE_CHECK(node->blocks[group] == 0, "block {} would replace {}", block, node->blocks[group]);
  RadixNode*& holder = place_of(group, block);
  QUIRE_CHECK(holder == nullptr, "block {} is held by two nodes", block);
  holder = node;
  unlist(*node);
  node->blocks[group] = block;
  node->is_owned[group] = 1;
  list(*node);
}

void RadixTree::touch(RadixNode* node, StepId step) {
  unlist(*node);
  node->last_used = std::max(node->last_used, step);
  list(*node);
}

void RadixTree::set_owned(std::uint32_t group, BlockId block, bool is_owned) {
  RadixNode* node = holder(group, block);
  QUIRE_CHECK(node != nullptr, "block {} of group {} is not in the tree", block, group);
  unlist(*node);
  node->is_owned[group] = is_owned;
  list(*node);
}

RadixNode* RadixTree::holder(std::uint32_t group, BlockId block) const {
  return const_cast<RadixTree*>(this)->place_of(group, block);
}

RadixNode*& RadixTree::place_of(std::uint32_t group, BlockId block) {
  QUIRE_CHECK(group < holders_.size() && block >= 0 &&
                  static_cast<std::size_t>(block) < holders_[group].size(),
              "block {} of group {} of {}", block, group, holders_.size());
  return holders_[group][static_cast<std::size_t>(block)];
}

bool RadixTree::can_evict(const RadixNode& node, std::uint32_t group) const {
  if (node.parent == nullptr || node.blocks[group] == 0 || node.is_owned[group]) return false;
  if (may_have_holes(group)) return true;
  // A whole node goes: nothing may stand on it and nobody may own any of its blocks. Only a
  // snapshot may still be copied from: it leaves the tree with the rest and is free after that.
  if (!node.children.empty()) return false;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (node.is_owned[g] && !holds_states(groups_[g])) return false;
  }
  return true;
}

void RadixTree::list(RadixNode& node) {
  for (std::uint32_t g = 0; g < node.is_listed.size(); ++g) {
    if (!can_evict(node, g)) continue;
    const bool is_new = idle_[g].insert({node.last_used, node.serial, &node}).second;
    QUIRE_CHECK(is_new, "node {} is listed twice in group {}", node.serial, g);
    node.is_listed[g] = 1;
  }
}

void RadixTree::unlist(RadixNode& node) {
  for (std::uint32_t g = 0; g < node.is_listed.size(); ++g) {
    if (!node.is_listed[g]) continue;
    const std::size_t erased = idle_[g].erase({node.last_used, node.serial, &node});
    QUIRE_CHECK(erased == 1, "node {} is not where it was listed in group {}", node.serial, g);
    node.is_listed[g] = 0;
  }
}

void RadixTree::drop_block(RadixNode& node, std::uint32_t group, std::vector<GroupBlock>& dropped) {
  const BlockId block = std::exchange(node.blocks[group], 0);
  if (block == 0) return;
  RadixNode*& holder = place_of(group, block);
  QUIRE_CHECK(holder == &node, "block {} of node {} is another's", block, node.serial);
  holder = nullptr;
  node.is_owned[group] = 0;
  dropped.push_back({group, block});
}

void RadixTree::drop(std::uint32_t group, BlockId block) {
  RadixNode* node = holder(group, block);
  QUIRE_CHECK(node != nullptr && !node->is_owned[group] && may_have_holes(group),
              "block {} of group {} cannot be dropped", block, group);
  std::vector<GroupBlock> dropped;
  unlist(*node);
  drop_block(*node, group, dropped);
  list(*node);
  remove_bare(node);
}

void RadixTree::leave(RadixNode* node) {
  QUIRE_CHECK(node->visitors > 0, "nobody stands on the node {}", node->serial);
  if (--node->visitors == 0) remove_bare(node);
}

// Removes a leaf that holds no block and no visitor, then its parents that became such leaves.
void RadixTree::remove_bare(RadixNode* node) {
  while (node->parent != nullptr && node->children.empty() && node->visitors == 0 &&
         std::all_of(node->blocks.begin(), node->blocks.end(), [](BlockId b) { return b == 0; })) {
    RadixNode* parent = node->parent;
    unlist(*parent);
    const auto it = parent->children.find(std::span<const TokenId>(node->tokens));
    QUIRE_CHECK(it != parent->children.end() && node_count_ > 0,
                "node {} of {} is not its parent's child", node->serial, node_count_);
    parent->children.erase(it);
    list(*parent);
    --node_count_;
    node = parent;
  }
  if (node->parent == nullptr && node->children.empty()) roots_.erase(roots_.find(*node->space));
}

std::vector<GroupBlock> RadixTree::evict(std::uint32_t group) {
  std::vector<GroupBlock> dropped;
  if (idle_[group].empty()) return dropped;
  RadixNode* node = std::get<RadixNode*>(*idle_[group].begin());
  QUIRE_CHECK(can_evict(*node, group), "node {} is listed in group {} and cannot go", node->serial,
              group);
  unlist(*node);
  if (may_have_holes(group)) {
    drop_block(*node, group, dropped);
  } else {
    for (std::uint32_t g = 0; g < groups_.size(); ++g) drop_block(*node, g, dropped);
  }
  list(*node);
  remove_bare(node);
  return dropped;
}

std::vector<GroupBlock> RadixTree::clear() {
  std::vector<GroupBlock> dropped;
  for (std::uint32_t g = 0; g < groups_.size(); ++g) {
    idle_[g].clear();
    for (std::size_t block = 0; block < holders_[g].size(); ++block) {
      if (holders_[g][block] != nullptr) dropped.push_back({g, static_cast<BlockId>(block)});
      holders_[g][block] = nullptr;
    }
  }
  // By hand, not by nested destructors: a long context is a deep tree.
  std::vector<std::unique_ptr<RadixNode>> nodes;
  const auto detach_children = [&nodes](RadixNode& node) {
    while (!node.children.empty()) {
      nodes.push_back(std::move(node.children.extract(node.children.begin()).value()));
    }
  };
  for (auto& [space, root] : roots_) detach_children(root);
  std::size_t count = 0;
  for (; !nodes.empty(); ++count) {
    const std::unique_ptr<RadixNode> node = std::move(nodes.back());
    nodes.pop_back();
    detach_children(*node);
  }
  QUIRE_CHECK(count == node_count_, "{} nodes were in the tree, {} were counted", count,
              node_count_);
  roots_.clear();
  node_count_ = 0;
  return dropped;
}

}  // namespace quire
