#include "backend/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/cpu/cpu_info.h"
#include "kernels/pack.h"
#include "kernels/select.h"

namespace quire {
namespace {

// Below this many elements an op stays on the calling thread: a wake-up costs more.
constexpr std::int64_t kAloneElements = 4096;
constexpr int kColumnsMax = 1 << 24;
constexpr int kHeadDimMax = 512;

CpuActivations& cpu(Activations& x) { return static_cast<CpuActivations&>(x); }

// The type of the tiles that a matrix gets.
Result<DType> tile_dtype(const TensorView& matrix, WeightScheme scheme) {
  if (scheme == WeightScheme::kFloat32) return DType::kF32;
  if (scheme == WeightScheme::kAsStored || matrix.dtype == DType::kI8) return matrix.dtype;
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (matrix.dtype == dtype) return DType::kI8;
  }
  return error(StatusCode::kUnsupported,
               "tensor '{}' is {}: only F32, F16 and BF16 weights are quantized to w8a8",
               matrix.name, dtype_name(matrix.dtype));
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
  std::shared_ptr<CpuDevice> device = options.device;
  if (device == nullptr) {
    QUIRE_ASSIGN_OR_RETURN(device, make_cpu_device(options.threads));
  }
  return std::unique_ptr<Backend>(
      std::make_unique<CpuBackend>(*kernels, std::move(device), options.has_huge_pages));
}

CpuBackend::CpuBackend(const KernelTable& kernels, int threads, bool has_huge_pages)
    : CpuBackend(kernels, std::make_shared<CpuDevice>(threads), has_huge_pages) {}

CpuBackend::CpuBackend(const KernelTable& kernels, std::shared_ptr<CpuDevice> device,
                       bool has_huge_pages)
    : kernels_(kernels),
      device_(std::move(device)),
      pool_(device_->pool),
      arena_(has_huge_pages),
      scratch_(static_cast<std::size_t>(pool_.threads())) {}

std::string CpuBackend::description() const {
  return fmt::format("{} kernels, {} threads of {} cores, {}", kernels_.name, threads(),
                     cpu_info().cores, cpu_info().model);
}

// --- memory ---

Result<Weight> CpuBackend::adopt(const TensorView& matrix, WeightScheme scheme) {
  const std::size_t rows = matrix.rows(), columns = matrix.columns();
  if (rows < 1 || columns < 1 || rows > std::numeric_limits<int>::max() / 2 ||
      columns > kColumnsMax) {
    return error(StatusCode::kUnsupported, "tensor '{}': a matrix of {} x {} cannot be packed",
                 matrix.name, rows, columns);
  }
  const DTypeInfo& info = dtype_info(matrix.dtype);
  if (columns % info.block_elements != 0) {
    return error(StatusCode::kUnsupported, "tensor '{}': {} columns are not whole {} blocks of {}",
                 matrix.name, columns, info.name, info.block_elements);
  }
  QUIRE_ASSIGN_OR_RETURN(const DType dtype, tile_dtype(matrix, scheme));
  if (matrix.dtype == DType::kI8 && matrix.row_scales == nullptr) {
    return error(StatusCode::kUnsupported, "tensor '{}': I8 without scales of its rows",
                 matrix.name);
  }
  if (dtype == DType::kI8 && columns > kChannelColumnsMax) {
    return error(StatusCode::kUnsupported, "tensor '{}': rows of {} int8 weights, at most {}",
                 matrix.name, columns, kChannelColumnsMax);
  }
  auto packed = std::make_shared<CpuPacked>();
  packed->source = matrix;
  packed->dtype = dtype;
  packed->bytes_per_tile = packed_tile_bytes(packed->dtype, kernels_.tile_rows, columns);
  packed->tiles = (static_cast<int>(rows) + kernels_.tile_rows - 1) / kernels_.tile_rows;
  Weight weight;
  weight.rows = static_cast<int>(rows);
  weight.columns = static_cast<int>(columns);
  weight.dtype = matrix.dtype;
  weight.packed_dtype = dtype;
  weight.bytes = packed->bytes_per_tile * static_cast<std::size_t>(packed->tiles);
  weight.packed = std::move(packed);
  return weight;
}

Status CpuBackend::pack(const Weight& weight) {
  const auto& packed = static_cast<const CpuPacked&>(*weight.packed);
  std::call_once(packed.once, [&] {
    packed.data = arena_.allocate(weight.bytes);
    if (packed.data == nullptr) return;
    const Turns::Turn turn = turns().take();  // a model that loads goes matrix by matrix
    pool_.for_each(packed.tiles, [&](int tile, int) {
      const int first = tile * kernels_.tile_rows;
      pack_rows(packed, first, std::min(kernels_.tile_rows, weight.rows - first),
                packed.data.get() + static_cast<std::size_t>(tile) * packed.bytes_per_tile);
    });
  });
  if (packed.data == nullptr) {
    return error(StatusCode::kResourceExhausted, "out of memory: {} bytes for '{}'", weight.bytes,
                 packed.source.name);
  }
  return ok_status();
}

// Rows whose type changes pass through float32; a row of int8 weights is quantized as a token is.
void CpuBackend::pack_rows(const CpuPacked& packed, int first, int rows, std::byte* tile) const {
  const TensorView& source = packed.source;
  const std::size_t columns = source.columns(), begin = static_cast<std::size_t>(first);
  if (packed.dtype == source.dtype) {
    pack_tile(packed.dtype, kernels_.tile_rows, rows, columns,
              source.data + begin * row_bytes(source.dtype, columns), tile,
              source.row_scales == nullptr ? nullptr : source.row_scales + begin);
    return;
  }
  const auto count = static_cast<std::size_t>(rows);
  std::vector<float> values(count * columns), scales(count);
  std::vector<std::int8_t> codes;
  for (std::size_t i = 0; i < count; ++i) read_row(source, begin + i, &values[i * columns]);
  const auto* from = reinterpret_cast<const std::byte*>(values.data());
  if (packed.dtype == DType::kI8) {
    AlignedBuffer<std::byte> room(channel_token_bytes(columns));
    auto* quantized = reinterpret_cast<ChannelToken*>(room.data());
    for (std::size_t i = 0; i < count; ++i) {
      kernels_.quantize_token(&values[i * columns], static_cast<int>(columns), 0, quantized);
      scales[i] = quantized->scale;
      codes.insert(codes.end(), quantized->codes(), quantized->codes() + columns);
    }
    from = reinterpret_cast<const std::byte*>(codes.data());
  }
  pack_tile(packed.dtype, kernels_.tile_rows, rows, columns, from, tile,
            packed.dtype == DType::kI8 ? scales.data() : nullptr);
}

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
    float* y = out.f32 ? reinterpret_cast<float*>(out.f32.row(i))
                       : scratch(worker, static_cast<std::size_t>(columns));
    kernels_.rmsnorm(x + token * columns, weight, eps, columns, y);
    out.put(kernels_, i, 0, columns, y);
  };
  if (std::int64_t{count} * columns <= kAloneElements) {
    for (int i = 0; i < count; ++i) body(i, 0);
  } else {
    pool_.for_each(count, body);
  }
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
