// CpuBackend's weights: which layout a matrix gets, its packing on all threads, and the packed
// cache in its place. Mapped tiles serve at once, but on small pages they are read a quarter
// slower; so one matrix a step moves into huge pages, until all have. No answer changes by it.
#include <algorithm>
#include <cstring>
#include <limits>

#include "backend/cpu/cpu_backend.h"
#include "kernels/pack.h"

namespace quire {
namespace {

constexpr int kColumnsMax = 1 << 24;
constexpr std::size_t kCopyBytes = std::size_t{1} << 20;  // per item of a promotion
constexpr std::size_t kNameMax = 1024;                    // of a matrix in the packed cache

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

Status check_matrix(const TensorView& matrix) {
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
  if (matrix.dtype == DType::kI8 && matrix.row_scales == nullptr) {
    return error(StatusCode::kUnsupported, "tensor '{}': I8 without scales of its rows",
                 matrix.name);
  }
  return ok_status();
}

PackedKey key_of(const Weight& weight, const CpuPacked& packed, int tile_rows) {
  const TensorView& source = packed.source();
  return {source.name,
          source.dtype,
          packed.dtype,
          static_cast<std::uint32_t>(weight.experts * weight.rows),
          static_cast<std::uint32_t>(weight.columns),
          static_cast<std::uint32_t>(tile_rows),
          weight.bytes,
          sample_of({source.data, source.bytes()})};
}

}  // namespace

Result<Weight> CpuBackend::adopt(const TensorView& matrix, WeightScheme scheme) {
  return adopt_experts({&matrix, 1}, scheme);
}

Result<Weight> CpuBackend::adopt_experts(std::span<const TensorView> matrices,
                                         WeightScheme scheme) {
  QUIRE_CHECK(!matrices.empty(), "a weight of no matrices");
  const TensorView& first = matrices.front();
  for (const TensorView& matrix : matrices) {
    QUIRE_RETURN_IF_ERROR(check_matrix(matrix));
    if (matrix.shape == first.shape && matrix.dtype == first.dtype) continue;
    return error(StatusCode::kUnsupported, "tensor '{}' has not the shape and type of '{}'",
                 matrix.name, first.name);
  }
  QUIRE_ASSIGN_OR_RETURN(const DType dtype, tile_dtype(first, scheme));
  const std::size_t rows = first.rows(), columns = first.columns();
  if (dtype == DType::kI8 && columns > kChannelColumnsMax) {
    return error(StatusCode::kUnsupported, "tensor '{}': rows of {} int8 weights, at most {}",
                 first.name, columns, kChannelColumnsMax);
  }
  auto packed = std::make_shared<CpuPacked>();
  packed->name = first.name;
  packed->sources.assign(matrices.begin(), matrices.end());
  packed->dtype = dtype;
  packed->bytes_per_tile = packed_tile_bytes(packed->dtype, kernels_.tile_rows, columns);
  packed->tiles = (static_cast<int>(rows) + kernels_.tile_rows - 1) / kernels_.tile_rows;
  Weight weight;
  weight.experts = static_cast<int>(matrices.size());
  weight.rows = static_cast<int>(rows);
  weight.columns = static_cast<int>(columns);
  weight.dtype = first.dtype;
  weight.packed_dtype = dtype;
  weight.bytes = packed->expert_bytes() * matrices.size();
  weight.stored_bytes = first.bytes() * matrices.size();
  weight.packed = std::move(packed);
  return weight;
}

Status CpuBackend::pack(const Weight& weight) {
  const auto& packed = static_cast<const CpuPacked&>(*weight.packed);
  std::call_once(packed.once, [&] {
    const Turns::Turn turn = turns().take();  // a model that loads goes matrix by matrix
    const bool is_kept = packed_cache_ != nullptr && packed.source().name.size() <= kNameMax;
    PackedKey key;
    if (is_kept) {
      key = key_of(weight, packed, kernels_.tile_rows);
      packed.data = packed_cache_->find(key, pool_);
      if (packed.data != nullptr) {
        if (has_huge_pages_) mapped_.push_back(weight);
        return;
      }
    }
    const std::shared_ptr<std::byte> tiles = arena_.allocate(weight.bytes);
    if (tiles == nullptr) return;
    pool_.for_each(weight.experts * packed.tiles, [&](int i, int) {
      const int first = i % packed.tiles * kernels_.tile_rows;
      const auto& source = packed.sources[static_cast<std::size_t>(i / packed.tiles)];
      pack_rows(source, packed.dtype, first, std::min(kernels_.tile_rows, weight.rows - first),
                tiles.get() + static_cast<std::size_t>(i) * packed.bytes_per_tile);
    });
    packed.data = tiles;
    if (is_kept) packed_cache_->add(key, tiles);
  });
  if (packed.data == nullptr) {
    return error(StatusCode::kResourceExhausted, "out of memory: {} bytes for '{}'", weight.bytes,
                 packed.source().name);
  }
  return ok_status();
}

void CpuBackend::finish_packing() {
  if (packed_cache_ != nullptr) packed_cache_->write();
}

// Between two ops nothing reads the tiles, so they can move.
void CpuBackend::promote_weight() {
  if (mapped_.empty()) return;
  const Weight weight = std::move(mapped_.back());
  mapped_.pop_back();
  const auto& packed = static_cast<const CpuPacked&>(*weight.packed);
  const std::shared_ptr<std::byte> tiles = arena_.allocate(weight.bytes);
  if (tiles == nullptr) return;  // they stay where they are
  const std::size_t items = (weight.bytes + kCopyBytes - 1) / kCopyBytes;
  pool_.for_each(static_cast<int>(items), [&](int i, int) {
    const std::size_t begin = static_cast<std::size_t>(i) * kCopyBytes;
    std::memcpy(tiles.get() + begin, packed.data.get() + begin,
                std::min(kCopyBytes, weight.bytes - begin));
  });
  packed.data = tiles;
}

// Rows whose type changes pass through float32; a row of int8 weights is quantized as a token is.
void CpuBackend::pack_rows(const TensorView& source, DType dtype, int first, int rows,
                           std::byte* tile) const {
  const std::size_t columns = source.columns(), begin = static_cast<std::size_t>(first);
  if (dtype == source.dtype) {
    pack_tile(dtype, kernels_.tile_rows, rows, columns,
              source.data + begin * row_bytes(source.dtype, columns), tile,
              source.row_scales == nullptr ? nullptr : source.row_scales + begin);
    return;
  }
  const auto count = static_cast<std::size_t>(rows);
  std::vector<float> values(count * columns), scales(count);
  std::vector<std::int8_t> codes;
  for (std::size_t i = 0; i < count; ++i) read_row(source, begin + i, &values[i * columns]);
  const auto* from = reinterpret_cast<const std::byte*>(values.data());
  if (dtype == DType::kI8) {
    AlignedBuffer<std::byte> room(channel_token_bytes(columns));
    auto* quantized = reinterpret_cast<ChannelToken*>(room.data());
    for (std::size_t i = 0; i < count; ++i) {
      kernels_.quantize_token(&values[i * columns], static_cast<int>(columns), 0, quantized);
      scales[i] = quantized->scale;
      codes.insert(codes.end(), quantized->codes(), quantized->codes() + columns);
    }
    from = reinterpret_cast<const std::byte*>(codes.data());
  }
  pack_tile(dtype, kernels_.tile_rows, rows, columns, from, tile,
            dtype == DType::kI8 ? scales.data() : nullptr);
}

}  // namespace quire
