#include "engine/inspection.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "sched/scheduler.h"

namespace quire {
namespace {

constexpr std::string_view kLetters = "fcrs";  // the busier, the later
constexpr std::array<std::uint64_t, 4> kAges = {10, 100, 1000, 10'000};                  // steps
constexpr std::array<std::uint64_t, 5> kDepths = {128, 512, 2048, 8192, 32'768};         // tokens

std::size_t letter_index(const BlockPool& pool, BlockId block) {
  const std::uint32_t owners = pool.owners(block);
  if (owners == 0) return pool.is_published(block) ? 1 : 0;
  return owners == 1 ? 2 : 3;
}

KvInspection::Group draw_blocks(const BlockPool& pool) {
  KvInspection::Group out;
  const std::uint32_t total = pool.total();
  std::array<std::uint32_t, kLetters.size()> all{};
  out.blocks_per_letter = std::max(1u, (total + kBlockLettersMax - 1) / kBlockLettersMax);
  for (std::uint32_t begin = 0; begin < total; begin += out.blocks_per_letter) {
    const std::uint32_t end = std::min(total, begin + out.blocks_per_letter);
    std::array<std::uint32_t, kLetters.size()> counts{};
    for (std::uint32_t i = begin; i < end; ++i) {
      ++counts[letter_index(pool, static_cast<BlockId>(i + 1))];  // block 0 is padding
    }
    std::size_t most = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] >= counts[most]) most = i;
      all[i] += counts[i];
    }
    out.block_map += kLetters[most];
  }
  out.free = all[0];
  out.cached = all[1];
  out.referenced = all[2] + all[3];
  out.shared = all[3];
  QUIRE_CHECK(out.block_map.size() <= kBlockLettersMax, "{} letters for {} blocks",
              out.block_map.size(), total);
  QUIRE_CHECK(out.free == pool.free_count() && out.cached == pool.cached_count(),
              "{} free and {} cached blocks were met, the pool counts {} and {}", out.free,
              out.cached, pool.free_count(), pool.cached_count());
  return out;
}

template <std::size_t kCount>
std::vector<KvInspection::Bucket> empty_buckets(const std::array<std::uint64_t, kCount>& bounds) {
  std::vector<KvInspection::Bucket> buckets;
  for (const std::uint64_t bound : bounds) buckets.push_back({bound, 0});
  buckets.push_back({});
  return buckets;
}

void count_in(std::vector<KvInspection::Bucket>& buckets, std::uint64_t value) {
  const auto bucket = std::find_if(buckets.begin(), buckets.end(),
                                   [&](const auto& it) { return value <= it.max; });
  QUIRE_CHECK(bucket != buckets.end(), "no bucket of {} takes {}", buckets.size(), value);
  ++bucket->blocks;
}

void add_run(std::vector<KvInspection::Run>& largest, const KvInspection::Run& run) {
  const auto is_before = [](const KvInspection::Run& a, const KvInspection::Run& b) {
    return std::pair(a.blocks, b.steps_ago) > std::pair(b.blocks, a.steps_ago);
  };
  if (largest.size() == kLargestRunsMax && !is_before(run, largest.back())) return;
  largest.insert(std::upper_bound(largest.begin(), largest.end(), run, is_before), run);
  if (largest.size() > kLargestRunsMax) largest.pop_back();
}

void walk_tree(const RadixTree& tree, StepId now, KvInspection& out) {
  out.by_age = empty_buckets(kAges);
  out.by_depth = empty_buckets(kDepths);
  // By hand, not by recursion: a long context is a deep tree.
  std::vector<std::pair<const RadixNode*, std::uint64_t>> open;  // with its depth in blocks
  for (const auto& [space, root] : tree.roots()) open.emplace_back(&root, 0);
  while (!open.empty()) {
    const auto [node, depth] = open.back();
    open.pop_back();
    for (const auto& child : node->children) open.emplace_back(child.get(), depth + 1);
    if (depth == 0) continue;
    const std::uint64_t steps_ago = now - std::min(now, node->last_used);
    const std::uint64_t tokens = depth * tree.block_tokens();
    ++out.nodes;
    if (node->children.empty()) add_run(out.largest, {tokens, depth, steps_ago});
    if (node->blocks[0] == 0) continue;  // a hole
    ++out.tree_blocks;
    count_in(out.by_age, steps_ago);
    count_in(out.by_depth, tokens);
  }
  QUIRE_CHECK(out.nodes == tree.node_count(), "{} nodes were met, the tree counts {}", out.nodes,
              tree.node_count());
}

}  // namespace

KvInspection look_into(const Scheduler& scheduler) {
  KvInspection out;
  const KvLedger& ledger = scheduler.ledger();
  for (std::uint32_t g = 0; g < ledger.groups(); ++g) {
    out.groups.push_back(draw_blocks(ledger.pool(g)));
  }
  walk_tree(ledger.tree(), scheduler.counts().steps, out);
  return out;
}

KvInspection join(std::span<const EngineInspection> parts) {
  QUIRE_CHECK(!parts.empty(), "nobody was looked into");
  KvInspection out = parts.front().kv;
  const auto add = [](std::vector<KvInspection::Bucket>& to,
                      const std::vector<KvInspection::Bucket>& from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i].blocks += from[i].blocks;
  };
  for (const EngineInspection& part : parts.subspan(1)) {
    const KvInspection& kv = part.kv;
    QUIRE_CHECK(kv.groups.size() == out.groups.size() && kv.by_age.size() == out.by_age.size() &&
                    kv.by_depth.size() == out.by_depth.size(),
                "instances of {} and {} groups", kv.groups.size(), out.groups.size());
    for (std::size_t g = 0; g < out.groups.size(); ++g) {
      KvInspection::Group& group = out.groups[g];
      group.block_map += kv.groups[g].block_map;
      group.free += kv.groups[g].free;
      group.cached += kv.groups[g].cached;
      group.referenced += kv.groups[g].referenced;
      group.shared += kv.groups[g].shared;
    }
    out.nodes += kv.nodes;
    out.tree_blocks += kv.tree_blocks;
    add(out.by_age, kv.by_age);
    add(out.by_depth, kv.by_depth);
    for (const KvInspection::Run& run : kv.largest) add_run(out.largest, run);
  }
  return out;
}

}  // namespace quire
