#include "runtime/capacity.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

#include "base/check.h"

namespace quire {
namespace {

constexpr std::uint64_t kKvBytesDefault = std::uint64_t{4} << 30;
// Of a state group: the current state, the one before it, and snapshots: one at the end of the text
// and one every so many positions.
constexpr std::uint32_t kStatesMin = 4;
constexpr std::uint32_t kSnapshotTokens = 1024;
constexpr std::uint32_t kSnapshotsOfEndless = 65536;  // positions back that have snapshots
constexpr std::uint64_t kLogitsBytesMax = std::uint64_t{64} << 20;

// Of what the system tells of its memory, in bytes; 0: it has no such line.
std::uint64_t memory_line(std::string_view wanted) {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  std::uint64_t kibibytes = 0;
  while (file >> key >> kibibytes) {
    if (key == wanted) return kibibytes * 1024;
    std::getline(file, unit);
  }
  return 0;
}

}  // namespace

std::uint64_t memory_available() { return memory_line("MemAvailable:"); }

std::uint64_t memory_total() {
  std::uint64_t total = memory_line("MemTotal:");
  // As a container sees its own group; "max", which is no number, where it has no bound.
  for (const char* path : {"/sys/fs/cgroup/memory.max",
                           "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::uint64_t bytes = 0;
    if (file >> bytes && bytes > 0) total = total == 0 ? bytes : std::min(total, bytes);
  }
  return total;
}

Status check_kv_types(const ModelFacts& facts, KvTypes types) {
  for (const GroupFacts& group : facts.groups) {
    if (group.holds_state || group.v_width > 0 || types.k == types.v) continue;
    return error(StatusCode::kInvalidArgument,
                 "--kv-cache-dtype: {} keeps one latent for keys and values, of {} or of {}",
                 facts.architecture, dtype_name(types.k), dtype_name(types.v));
  }
  return ok_status();
}

Result<std::uint32_t> find_context(const ModelFacts& facts, const CapacityRequest& request) {
  const auto trained = static_cast<std::uint32_t>(facts.context_max);
  const bool is_endless = request.sinks > 0 || request.window > 0;
  const std::uint32_t context = request.context_max > 0 ? request.context_max
                                : is_endless            ? kEndlessContext
                                                        : trained;
  if (!is_endless) {
    if (context <= trained) return context;
    return error(StatusCode::kInvalidArgument, "the model has a context of {} positions, not {}",
                 trained, context);
  }
  if (request.sinks == 0 || request.window == 0 || request.sinks > kSinksMax) {
    return error(StatusCode::kInvalidArgument,
                 "--attention-sinks {} and --sliding-window {}: a text without an end needs both, "
                 "1 to {} sinks and a window",
                 request.sinks, request.window, kSinksMax);
  }
  if (facts.kind != ModelKind::kDecoder || !facts.bound_to_context.empty()) {
    return error(StatusCode::kUnsupported,
                 "--attention-sinks: {} has {}, and no text beyond its {}", facts.architecture,
                 facts.kind != ModelKind::kDecoder ? "an encoder" : facts.bound_to_context,
                 trained);
  }
  if (std::uint64_t{request.sinks} + request.window > trained) {
    return error(StatusCode::kInvalidArgument,
                 "--attention-sinks {} and --sliding-window {}: the model has a context of {} "
                 "positions",
                 request.sinks, request.window, trained);
  }
  return context;
}

std::vector<KvGroupShape> group_shapes(const ModelFacts& facts, KvTypes types,
                                       const CapacityRequest& request) {
  std::vector<KvGroupShape> shapes;
  for (const GroupFacts& group : facts.groups) {
    KvGroupShape& shape = shapes.emplace_back();
    shape.name = group.name;
    shape.layers = static_cast<int>(group.layers.size());
    shape.kv_heads = group.kv_heads;
    shape.k_dim = group.k_width;
    shape.v_dim = group.v_width;
    shape.types = types;
    shape.window = group.window;
    shape.is_encoder = group.is_encoder_long;
    shape.state_floats = static_cast<int>(group.state_bytes / sizeof(float));
    QUIRE_CHECK(!group.layers.empty() && group.state_bytes % sizeof(float) == 0,
                "group '{}' of {} layers holds states of {} bytes", group.name,
                group.layers.size(), group.state_bytes);
    const auto window = static_cast<int>(request.window);
    if (window == 0 || shape.is_state() || shape.is_encoder) continue;
    if (shape.window > 0 && shape.window <= window) continue;
    shape.window = window;
    shape.sinks = static_cast<int>(request.sinks);
  }
  return shapes;
}

std::uint64_t sequence_kv_bytes(std::span<const KvGroupShape> groups,
                                const CapacityRequest& request) {
  std::uint64_t sum = 0;
  for (const KvGroupShape& group : groups) {
    sum += kv_block_bytes(group) * blocks_per_sequence(group, request);
  }
  return sum;
}

std::uint32_t blocks_per_sequence(const KvGroupShape& group, const CapacityRequest& request) {
  const std::uint32_t all = (request.context_max + kBlockTokens - 1) / kBlockTokens;
  if (group.is_state()) {
    const std::uint32_t reach = request.window > 0 ? kSnapshotsOfEndless : request.context_max;
    return kStatesMin + std::min(request.context_max, reach) / kSnapshotTokens;
  }
  if (group.window == 0) return all;
  // The sinks, the window, what one step writes before it, and a block cut at either end.
  const auto blocks = [](std::uint32_t positions) {
    return (positions + kBlockTokens - 1) / kBlockTokens;
  };
  const std::uint32_t seen = blocks(static_cast<std::uint32_t>(group.sinks)) + 2 +
                             blocks(static_cast<std::uint32_t>(group.window) + request.tokens_max);
  return std::min(all, seen);
}

std::uint64_t kv_bytes(std::span<const KvGroupShape> groups,
                       std::span<const std::uint32_t> blocks) {
  QUIRE_CHECK(groups.size() == blocks.size(), "blocks of {} groups for {}", blocks.size(),
              groups.size());
  std::uint64_t sum = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    sum += (std::uint64_t{blocks[g]} + 1) * kv_block_bytes(groups[g]);
  }
  return sum;
}

Result<std::vector<std::uint32_t>> choose_kv_blocks(std::span<const KvGroupShape> groups,
                                                    const CapacityRequest& request) {
  QUIRE_CHECK(!groups.empty(), "a model that remembers nothing");
  QUIRE_CHECK(request.context_max > 0, "a context of no positions");
  std::uint64_t least_bytes = 0;
  for (const KvGroupShape& group : groups) least_bytes += kv_block_bytes(group);
  const std::uint64_t sequence_bytes = sequence_kv_bytes(groups, request);
  std::uint64_t bytes = request.kv_bytes;
  if (bytes == 0) {
    const std::uint64_t available = memory_available();
    const std::uint64_t room =
        available == 0 ? kKvBytesDefault : std::min(kKvBytesDefault, available / 2);
    bytes = std::min(sequence_bytes * request.rows_max, room);
  }
  if (request.blocks == 0 && bytes < least_bytes) {
    return error(StatusCode::kInvalidArgument,
                 "no room for KV: one block of {} tokens takes {} bytes; give more with "
                 "--kv-cache-memory or --num-kv-blocks",
                 kBlockTokens, least_bytes);
  }
  // As a fraction: how many full contexts of the first group, or of all groups.
  const std::uint64_t parts =
      request.blocks > 0 ? request.blocks : bytes, whole =
      request.blocks > 0 ? blocks_per_sequence(groups[0], request) : sequence_bytes;
  std::vector<std::uint32_t> blocks;
  for (const KvGroupShape& group : groups) {
    constexpr std::uint64_t kBlocksMax = std::uint64_t{1} << 26;  // slots stay within int32
    const auto wide = static_cast<unsigned __int128>(parts) * blocks_per_sequence(group, request);
    const auto share = static_cast<std::uint64_t>(wide / whole);
    // What fits into the first group never fails for want of a window.
    std::uint64_t least = group.is_state() ? kStatesMin : 1;
    if (!blocks.empty() && group.window > 0) {
      least = std::min(blocks.front(), blocks_per_sequence(group, request));
    }
    blocks.push_back(static_cast<std::uint32_t>(std::clamp(share, least, kBlocksMax - 1)));
  }
  return blocks;
}

std::uint32_t choose_logits_rows(const CapacityRequest& request, int vocab) {
  QUIRE_CHECK(vocab > 0, "a vocabulary of {}", vocab);
  const auto affordable =
      static_cast<std::uint32_t>(kLogitsBytesMax / (std::uint64_t(vocab) * sizeof(float)));
  return std::max(request.rows_max, std::min(request.tokens_max, affordable));
}

Capacity make_capacity(std::span<const KvGroupShape> groups, const CapacityRequest& request,
                       int vocab) {
  Capacity capacity;
  for (const KvGroupShape& shape : groups) {
    KvGroup& group = capacity.groups.emplace_back();
    group.name = shape.name;
    group.layers = static_cast<std::uint32_t>(shape.layers);
    group.holds = shape.is_state() ? GroupHolds::kState : GroupHolds::kPositions;
    group.length = shape.is_encoder ? GroupLength::kEncoder : GroupLength::kText;
    group.block_tokens = kBlockTokens;
    group.blocks = static_cast<std::uint32_t>(shape.blocks);
    group.window = static_cast<std::uint32_t>(shape.window);
    group.sinks = static_cast<std::uint32_t>(shape.sinks);
    group.bytes_per_block = kv_block_bytes(shape);
    if (shape.is_state()) continue;
    group.k_type = dtype_name(shape.types.k);
    group.v_type = dtype_name(shape.types.v);
  }
  capacity.rows_max = request.rows_max;
  capacity.tokens_max = request.tokens_max;
  capacity.logits_rows_max = choose_logits_rows(request, vocab);
  capacity.context_max = request.context_max;
  capacity.vocab = static_cast<std::uint32_t>(vocab);
  capacity.depth = request.depth;
  capacity.drafts_max = request.drafts_max;
  return capacity;
}

}  // namespace quire
