#include "backend/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "backend/table_trial.h"
#include "base/clock.h"
#include "base/cpu/cpu_info.h"
#include "kernels/select.h"

namespace quire {
namespace {

Status check_group(const KvGroupShape& group) {
  for (const DType dtype : {group.types.k, group.types.v}) {
    const bool is_known = dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16 ||
                          dtype == DType::kF8 || dtype == DType::kI8 || dtype == DType::kQ4_1;
    if (group.is_state() || is_known) continue;
    return error(StatusCode::kUnsupported,
                 "a KV cache of {} is not supported (F32, F16, BF16, F8_E4M3, I8, Q4_1)",
                 dtype_name(dtype));
  }
  const bool has_heads = group.kv_heads >= 1 && group.k_dim >= 1 && group.k_dim <= kCachedHeadMax &&
                         group.v_dim >= 0 && group.v_dim <= kCachedHeadMax;
  if (group.layers < 1 || group.blocks < 1 || (!group.is_state() && !has_heads)) {
    return error(StatusCode::kUnsupported,
                 "a KV cache of {} layers, {} blocks, {} heads of {} and {} is not supported "
                 "(a head: 1 to {} values)",
                 group.layers, group.blocks, group.kv_heads, group.k_dim, group.v_dim,
                 kCachedHeadMax);
  }
  return ok_status();
}

}  // namespace

Result<std::shared_ptr<CpuDevice>> make_cpu_device(int threads) {
  if (threads == 0) threads = cpu_info().cores;
  if (threads < 1 || threads > 1024) {
    return error(StatusCode::kInvalidArgument, "threads must be 1 to 1024, not {}", threads);
  }
  return std::make_shared<CpuDevice>(threads);
}

Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuBackendOptions& options) {
  QUIRE_ASSIGN_OR_RETURN(const KernelTable* kernels, select_kernels(options.isa));
  if (options.isa.empty() && forced_isa().empty()) kernels = table_choice().table;
  std::shared_ptr<CpuDevice> device = options.device;
  if (device == nullptr) {
    QUIRE_ASSIGN_OR_RETURN(device, make_cpu_device(options.threads));
  }
  return std::unique_ptr<Backend>(
      std::make_unique<CpuBackend>(*kernels, std::move(device), options));
}

CpuBackend::CpuBackend(const KernelTable& kernels, std::shared_ptr<CpuDevice> device,
                       const CpuBackendOptions& options)
    : kernels_(kernels),
      device_(std::move(device)),
      pool_(device_->pool),
      arena_(options.has_huge_pages),
      has_huge_pages_(options.has_huge_pages),
      scratch_(static_cast<std::size_t>(pool_.threads())) {
  if (options.packed_path.empty()) return;
  packed_cache_ = std::make_unique<PackedCache>(options.packed_path, options.packed_stamp);
}

CpuBackend::CpuBackend(const KernelTable& kernels, int threads)
    : CpuBackend(kernels, std::make_shared<CpuDevice>(threads), {}) {}

std::string CpuBackend::description() const {
  const TableChoice& choice = table_choice();
  return fmt::format("{} kernels ({} rows a tile; {}), {} threads of {} cores, {}", kernels_.name,
                     kernels_.tile_rows, choice.table == &kernels_ ? choice.reason : "as named",
                     threads(), cpu_info().cores, cpu_info().model);
}

// --- memory ---

Vector CpuBackend::vector(std::span<const float> values) {
  auto copy = std::make_shared<AlignedBuffer<float>>(values.size());
  std::copy(values.begin(), values.end(), copy->data());
  return {static_cast<int>(values.size()), {copy, copy->data()}};
}

Buffer CpuBackend::buffer(Rows rows, int rows_max, int columns, int per_token) {
  QUIRE_CHECK(rows_max > 0 && columns > 0 && per_token > 0, "a buffer of {} x {} x {}", rows_max,
              per_token, columns);
  auto memory = std::make_shared<CpuBuffer>();
  memory->columns = columns;
  memory->rows_max = rows_max * per_token;
  memory->is_tight = rows == Rows::kWanted || rows == Rows::kPooled;
  // Any op may be the last one of a pooled vector, which a host reads.
  if (rows == Rows::kPooled) memory->grow(ActivationForm::kF32);
  return {rows, per_token, columns, std::move(memory)};
}

const float* CpuBackend::host_rows(const Buffer& buffer) {
  CpuBuffer& memory = cpu(buffer);
  QUIRE_CHECK(memory.is_tight, "only rows that a sampler reads lie close");
  memory.grow(ActivationForm::kF32);
  return memory.floats(0);
}

Result<std::unique_ptr<KvStore>> CpuBackend::kv_store(std::span<const KvGroupShape> groups) {
  auto store = std::make_unique<CpuKvStore>();
  store->groups.assign(groups.begin(), groups.end());
  for (const KvGroupShape& shape : groups) {
    QUIRE_RETURN_IF_ERROR(check_group(shape));
    CpuKvGroup& group = store->memory.emplace_back();
    group.shape = shape;
    group.k_bytes = kv_head_bytes(shape.types.k, shape.k_dim);
    group.head_bytes = group.k_bytes + kv_head_bytes(shape.types.v, shape.v_dim);
    group.block_bytes = kv_layer_block_bytes(shape);
    std::size_t total = 0;
    if (__builtin_mul_overflow(group.block_bytes, static_cast<std::size_t>(shape.blocks),
                               &group.layer_bytes) ||
        __builtin_mul_overflow(group.layer_bytes, static_cast<std::size_t>(shape.layers),
                               &total) ||
        (group.data = arena_.allocate(total)) == nullptr) {
      return error(StatusCode::kResourceExhausted,
                   "no memory for a KV cache of {} blocks of {} bytes", shape.blocks,
                   group.block_bytes * static_cast<std::size_t>(shape.layers));
    }
  }
  return std::unique_ptr<KvStore>(std::move(store));
}

void CpuBackend::copy_blocks(KvStore& kv, std::span<const BlockMove> moves) {
  if (moves.empty()) return;
  const Nanos start = watch_ == nullptr ? Nanos(0) : SteadyClock::now();
  auto& store = static_cast<CpuKvStore&>(kv);
  int layers = 0;
  for (const BlockMove& move : moves) {
    QUIRE_CHECK(move.group >= 0 && move.group < static_cast<int>(store.memory.size()),
                "copy in group {} of {}", move.group, store.memory.size());
    const KvGroupShape& shape = store.groups[static_cast<std::size_t>(move.group)];
    QUIRE_CHECK(
        move.src >= 0 && move.dst >= 0 && move.src < shape.blocks && move.dst < shape.blocks,
        "copy of block {} to {} of {}", move.src, move.dst, shape.blocks);
    layers = std::max(layers, shape.layers);
  }
  pool_.for_each(layers, [&](int layer, int) {
    for (const BlockMove& move : moves) {
      const CpuKvGroup& group = store.memory[static_cast<std::size_t>(move.group)];
      if (layer >= group.shape.layers) continue;
      std::memcpy(group.block(layer, move.dst), group.block(layer, move.src), group.block_bytes);
    }
  });
  if (watch_ != nullptr) watch_->copied(kv, moves, SteadyClock::now() - start);
}

float* CpuBackend::scratch(int worker, std::size_t floats) {
  AlignedBuffer<float>& buffer = scratch_[static_cast<std::size_t>(worker)];
  QUIRE_CHECK(floats <= buffer.count(), "scratch of {} floats, {} wanted", buffer.count(), floats);
  return buffer.data();
}

void CpuBackend::grow_scratch(std::size_t floats) {
  for (AlignedBuffer<float>& buffer : scratch_) {
    if (buffer.count() < floats) buffer = AlignedBuffer<float>(floats);
  }
}

}  // namespace quire
