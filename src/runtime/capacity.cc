#include "runtime/capacity.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace quire {
namespace {

constexpr std::uint64_t kKvBytesDefault = std::uint64_t{4} << 30;
constexpr std::uint64_t kLogitsBytesMax = std::uint64_t{64} << 20;

}  // namespace

std::uint64_t kv_block_bytes(const KvShape& shape) {
  return 2 * std::uint64_t{kv_head_bytes(shape.dtype, shape.head_dim)} *
         std::uint64_t(shape.layers) * shape.kv_heads;
}

std::uint64_t memory_available() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  std::uint64_t kibibytes = 0;
  while (file >> key >> kibibytes) {
    if (key == "MemAvailable:") return kibibytes * 1024;
    std::getline(file, unit);
  }
  return 0;
}

Result<std::uint32_t> choose_kv_blocks(const KvShape& shape, const CapacityRequest& request) {
  const std::uint64_t block_bytes = kv_block_bytes(shape);
  std::uint64_t blocks = request.blocks;
  if (blocks == 0 && request.kv_bytes > 0) blocks = request.kv_bytes / block_bytes;
  if (blocks == 0 && request.kv_bytes == 0) {
    const std::uint64_t per_sequence = (request.context_max + kBlockTokens - 1) / kBlockTokens;
    const std::uint64_t available = memory_available();
    const std::uint64_t room =
        available == 0 ? kKvBytesDefault : std::min(kKvBytesDefault, available / 2);
    blocks = std::min(per_sequence * request.rows_max, room / block_bytes);
  }
  if (blocks == 0) {
    return error(StatusCode::kInvalidArgument,
                 "no room for KV: one block of {} tokens takes {} bytes; give more with "
                 "--kv-cache-memory or --num-kv-blocks",
                 kBlockTokens, block_bytes);
  }
  constexpr std::uint64_t kBlocksMax = std::uint64_t{1} << 26;  // slots stay within int32
  return static_cast<std::uint32_t>(std::min(blocks, kBlocksMax - 1));
}

std::uint32_t choose_logits_rows(const CapacityRequest& request, int vocab) {
  const auto affordable =
      static_cast<std::uint32_t>(kLogitsBytesMax / (std::uint64_t(vocab) * sizeof(float)));
  return std::max(request.rows_max, std::min(request.tokens_max, affordable));
}

Capacity make_capacity(const KvShape& shape, const CapacityRequest& request, int vocab) {
  Capacity capacity;
  KvGroup group;
  group.layers = static_cast<std::uint32_t>(shape.layers);
  group.block_tokens = kBlockTokens;
  group.blocks = static_cast<std::uint32_t>(shape.blocks);
  group.bytes_per_block = kv_block_bytes(shape);
  capacity.groups = {group};
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
