#include "backend/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "backend/table_trial.h"
#include "base/cpu/cpu_info.h"
#include "kernels/select.h"

namespace quire {
namespace {

// Below this many elements an op stays on the calling thread: a wake-up costs more.
constexpr std::int64_t kAloneElements = 4096;
constexpr int kHeadDimMax = 512;

CpuActivations& cpu(Activations& x) { return static_cast<CpuActivations&>(x); }

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
  if (options.isa.empty() && forced_isa().empty()) kernels = fastest_of(table_trials()).table;
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
  std::string rivals;  // what the choice was between
  for (const TableTrial& trial : table_trials()) {
    rivals += fmt::format("{}{} {:.2f}", rivals.empty() ? "" : ", ", trial.table->name,
                          trial.operations_per_second * 1e-12);
  }
  return fmt::format("{} kernels ({} rows a tile; int8 TOP/s of a thread: {}), {} threads of {} "
                     "cores, {}",
                     kernels_.name, kernels_.tile_rows, rivals, threads(), cpu_info().cores,
                     cpu_info().model);
}

// --- memory ---

std::unique_ptr<Activations> CpuBackend::activations(int tokens,
                                                     std::span<const Weight* const> consumers) {
  QUIRE_CHECK(tokens > 0 && !consumers.empty(), "activations of {} tokens for {} weights", tokens,
              consumers.size());
  auto result = std::make_unique<CpuActivations>();
  result->columns = consumers[0]->columns;
  result->tokens_max = tokens;
  for (const Weight* weight : consumers) {
    QUIRE_CHECK(weight->columns == result->columns, "consumers of {} and {} columns",
                result->columns, weight->columns);
    result->grow(static_cast<const CpuPacked&>(*weight->packed).input_form());
    const Status status = pack(*weight);
    QUIRE_CHECK(status.is_ok(), "{}", status.message());
  }
  return result;
}

Result<std::unique_ptr<KvStore>> CpuBackend::kv_store(const KvShape& shape) {
  const bool is_known = shape.dtype == DType::kF32 || shape.dtype == DType::kF16 ||
                        shape.dtype == DType::kBF16 || shape.dtype == DType::kI8;
  if (!is_known) {
    return error(StatusCode::kUnsupported, "a KV cache of {} is not supported (F32, F16, BF16, I8)",
                 dtype_name(shape.dtype));
  }
  if (shape.layers < 1 || shape.kv_heads < 1 || shape.blocks < 1 || shape.head_dim < 2 ||
      shape.head_dim > kHeadDimMax || shape.head_dim % 2 != 0) {
    return error(StatusCode::kUnsupported,
                 "a KV cache of {} layers, {} blocks, {} heads of {} is not supported "
                 "(head_dim: even, 2 to {})",
                 shape.layers, shape.blocks, shape.kv_heads, shape.head_dim, kHeadDimMax);
  }
  auto store = std::make_unique<CpuKvStore>();
  store->shape = shape;
  store->half_bytes = kv_head_bytes(shape.dtype, shape.head_dim);
  store->block_bytes = 2 * store->half_bytes * static_cast<std::size_t>(shape.kv_heads);
  std::size_t total = 0;
  if (__builtin_mul_overflow(store->block_bytes, static_cast<std::size_t>(shape.blocks),
                             &store->layer_bytes) ||
      __builtin_mul_overflow(store->layer_bytes, static_cast<std::size_t>(shape.layers), &total) ||
      (store->data = arena_.allocate(total)) == nullptr) {
    return error(StatusCode::kResourceExhausted,
                 "no memory for a KV cache of {} blocks of {} bytes", shape.blocks,
                 store->block_bytes * static_cast<std::size_t>(shape.layers));
  }
  store->bytes_per_block = store->block_bytes * static_cast<std::size_t>(shape.layers);
  return std::unique_ptr<KvStore>(std::move(store));
}

void CpuBackend::copy_blocks(KvStore& kv, std::span<const BlockMove> moves) {
  if (moves.empty()) return;
  auto& store = static_cast<CpuKvStore&>(kv);
  for (const BlockMove& move : moves) {
    QUIRE_CHECK(
        move.src >= 0 && move.dst >= 0 && move.src < kv.shape.blocks && move.dst < kv.shape.blocks,
        "copy of block {} to {} of {}", move.src, move.dst, kv.shape.blocks);
  }
  pool_.for_each(kv.shape.layers, [&](int layer, int) {
    for (const BlockMove& move : moves) {
      std::memcpy(store.k(layer, move.dst, 0), store.k(layer, move.src, 0), store.block_bytes);
    }
  });
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

// --- ops over tokens ---

void CpuBackend::gather(const Weight& table, std::span<const std::int32_t> ids, float* out) {
  promote_weight();
  const auto& source = static_cast<const CpuPacked&>(*table.packed).source;
  const std::size_t columns = source.columns();
  const auto row = [&](int i, int) {
    const std::int32_t id = ids[static_cast<std::size_t>(i)];
    QUIRE_CHECK(id >= 0 && id < table.rows, "row {} of a table of {}", id, table.rows);
    read_row(source, static_cast<std::size_t>(id), out + static_cast<std::size_t>(i) * columns);
  };
  pool_.for_each(static_cast<int>(ids.size()), row);
}

void CpuBackend::norm_rows(const float* x, const std::int32_t* indices, int count, int columns,
                           const float* weight, float eps, CpuActivations& out) {
  QUIRE_CHECK(columns == out.columns && count <= out.tokens_max, "norm of {} x {} into {} x {}",
              count, columns, out.tokens_max, out.columns);
  grow_scratch(static_cast<std::size_t>(columns));
  const auto body = [&](int i, int worker) {
    const std::int64_t token = indices == nullptr ? i : indices[i];
    norm_row(x + token * columns, weight, eps, i, out,
             scratch(worker, static_cast<std::size_t>(columns)));
  };
  if (std::int64_t{count} * columns <= kAloneElements) {
    for (int i = 0; i < count; ++i) body(i, 0);
  } else {
    pool_.for_each(count, body);
  }
}

// x, room: [columns]
void CpuBackend::norm_row(const float* x, const float* weight, float eps, int token,
                          CpuActivations& out, float* room) const {
  float* y = out.f32 ? reinterpret_cast<float*>(out.f32.row(token)) : room;
  kernels_.rmsnorm(x, weight, eps, out.columns, y);
  out.put(kernels_, token, 0, out.columns, y);
}

void CpuBackend::rmsnorm(const float* x, const float* weight, float eps, int tokens,
                         Activations& out) {
  norm_rows(x, nullptr, tokens, out.columns, weight, eps, cpu(out));
}

void CpuBackend::select_rmsnorm(const float* x, std::span<const std::int32_t> indices, int columns,
                                const float* weight, float eps, Activations& out) {
  norm_rows(x, indices.data(), static_cast<int>(indices.size()), columns, weight, eps, cpu(out));
}

}  // namespace quire
