// CpuBackend's weights: which layout a matrix gets, its packing on all threads, and the packed
// cache in its place. Mapped tiles serve at once, but on small pages they are read a quarter
// slower; so one matrix a step moves into huge pages, until all have. No answer changes by it.
#include <algorithm>
#include <cstring>
#include <limits>

#include "backend/cpu/cpu_backend.h"
#include "base/hash.h"
#include "kernels/pack.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

constexpr int kColumnsMax = 1 << 24;
constexpr std::size_t kCopyBytes = std::size_t{1} << 20;  // per item of a promotion
constexpr std::size_t kNameMax = 1024;                    // of a matrix in the packed cache

bool is_plain_type(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

// The type of the tiles that a weight gets. Codes to which an adapter adds are codes no more.
Result<DType> tile_dtype(const WeightView& view, WeightScheme scheme) {
  if (scheme == WeightScheme::kFloat32) return DType::kF32;
  if (view.has_deltas() && !is_plain_type(view.dtype)) return DType::kBF16;
  if (scheme != WeightScheme::kW8A8 || view.dtype == DType::kI8) return view.dtype;
  if (is_plain_type(view.dtype)) return DType::kI8;
  return error(StatusCode::kUnsupported,
               "tensor '{}' is {}: only F32, F16 and BF16 weights are quantized to w8a8",
               view.name, dtype_name(view.dtype));
}

// Columns of a scale in the tiles, which is one number for all matrices; 0: all.
std::size_t scale_group(const WeightView& view) {
  return view.matrices.front().scales.per_columns;
}

Status check_view(const WeightView& view) {
  if (view.rows < 1 || view.columns < 1 || view.rows > std::numeric_limits<int>::max() / 2 ||
      view.columns > kColumnsMax) {
    return error(StatusCode::kUnsupported, "tensor '{}': a matrix of {} x {} cannot be packed",
                 view.name, view.rows, view.columns);
  }
  const DTypeInfo& info = dtype_info(view.dtype);
  if (view.columns % info.block_elements != 0) {
    return error(StatusCode::kUnsupported, "tensor '{}': {} columns are not whole {} blocks of {}",
                 view.name, view.columns, info.name, info.block_elements);
  }
  for (const WeightView::Matrix& matrix : view.matrices) {
    if (matrix.scales.per_columns != scale_group(view)) {
      return error(StatusCode::kUnsupported,
                   "tensor '{}': not all of its matrices have a scale for {} columns", view.name,
                   scale_group(view));
    }
    if (!has_scales_beside(view.dtype) || matrix.scales) continue;
    return error(StatusCode::kUnsupported, "tensor '{}': {} without scales", view.name, info.name);
  }
  return ok_status();
}

// A tile of int8 has a scale per row; one of NVFP4 may have one.
Status check_tile(const WeightView& view, DType dtype) {
  if (dtype != DType::kI8 && dtype != DType::kNVFP4) return ok_status();
  if (dtype == DType::kI8 && view.columns > kChannelColumnsMax) {
    return error(StatusCode::kUnsupported, "tensor '{}': rows of {} int8 weights, at most {}",
                 view.name, view.columns, kChannelColumnsMax);
  }
  for (const WeightView::Matrix& matrix : view.matrices) {
    if (matrix.scales.is_per_row()) continue;
    return error(StatusCode::kUnsupported,
                 "tensor '{}': {} weights with a scale per {} columns; one per row is read",
                 view.name, dtype_name(dtype), matrix.scales.per_columns);
  }
  return ok_status();
}

// Rounding that a checkpoint asks for is of products with its codes.
Status check_deltas(const WeightView& view, WeightScheme scheme) {
  for (const WeightView::Matrix& matrix : view.matrices) {
    const bool is_rounded = matrix.input.rounding != InputRule::Rounding::kNone;
    if (matrix.deltas.empty() || scheme != WeightScheme::kAsAsked || !is_rounded) continue;
    return error(StatusCode::kUnsupported,
                 "tensor '{}': an adapter adds to it, and its input would be rounded as the "
                 "checkpoint asks: leave out --activations as-asked", view.name);
  }
  return ok_status();
}

// Of what the tiles are made of, where that is more than the codes.
std::uint64_t sample_of_deltas(const WeightView& view) {
  std::uint64_t hash = 0;
  for (const WeightView::Matrix& matrix : view.matrices) {
    for (const WeightDelta& delta : matrix.deltas) {
      hash = hash_bytes(delta.a, delta.rank * view.columns * sizeof(float), hash);
      hash = hash_bytes(delta.b, delta.rank * view.rows * sizeof(float), hash);
    }
  }
  return hash;
}

PackedKey key_of(const Weight& weight, const CpuPacked& packed, int tile_rows) {
  const WeightView& source = packed.source;
  return {source.name,
          source.dtype,
          packed.dtype,
          static_cast<std::uint32_t>(weight.experts * weight.rows),
          static_cast<std::uint32_t>(weight.columns),
          static_cast<std::uint32_t>(tile_rows),
          weight.bytes,
          sample_of({source.matrices.front().codes, source.matrix_bytes()}) +
              sample_of_deltas(source)};
}

// What becomes of a product's input before: rounding where it is asked for, an order where the
// codes stay codes (else rows are read by read_row, which puts columns back).
void keep_rules(WeightScheme scheme, CpuPacked& packed) {
  for (WeightView::Matrix& matrix : packed.source.matrices) {
    InputRule& rule = matrix.input;
    if (scheme != WeightScheme::kAsAsked) rule = {.order = rule.order};
    packed.has_rules |= rule.rounding != InputRule::Rounding::kNone ||
                        (rule.order != nullptr && packed.dtype == packed.source.dtype);
  }
}

}  // namespace

Result<Weight> CpuBackend::adopt(const WeightView& view, WeightScheme scheme) {
  QUIRE_CHECK(!view.matrices.empty(), "'{}' is a weight of no matrices", view.name);
  QUIRE_RETURN_IF_ERROR(check_view(view));
  QUIRE_RETURN_IF_ERROR(check_deltas(view, scheme));
  QUIRE_ASSIGN_OR_RETURN(const DType dtype, tile_dtype(view, scheme));
  QUIRE_RETURN_IF_ERROR(check_tile(view, dtype));
  auto packed = std::make_shared<CpuPacked>(view);
  packed->name = view.name;
  packed->dtype = dtype;
  keep_rules(scheme, *packed);
  packed->bytes_per_tile =
      packed_tile_bytes(packed->dtype, kernels_.tile_rows, view.columns, scale_group(view));
  packed->tiles = (static_cast<int>(view.rows) + kernels_.tile_rows - 1) / kernels_.tile_rows;
  Weight weight;
  weight.experts = static_cast<int>(view.experts());
  weight.rows = static_cast<int>(view.rows);
  weight.columns = static_cast<int>(view.columns);
  weight.dtype = view.dtype;
  weight.packed_dtype = dtype;
  weight.bytes = packed->expert_bytes() * view.experts();
  weight.stored_bytes = view.matrix_bytes() * view.experts();
  weight.packed = std::move(packed);
  return weight;
}

Status CpuBackend::pack(const Weight& weight) {
  const auto& packed = static_cast<const CpuPacked&>(*weight.packed);
  std::call_once(packed.once, [&] {
    const Turns::Turn turn = turns().take();  // a model that loads goes matrix by matrix
    const bool is_kept = packed_cache_ != nullptr && packed.source.name.size() <= kNameMax;
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
      pack_rows(packed, i / packed.tiles, first, std::min(kernels_.tile_rows, weight.rows - first),
                tiles.get() + static_cast<std::size_t>(i) * packed.bytes_per_tile);
    });
    packed.data = tiles;
    if (is_kept) packed_cache_->add(key, tiles);
  });
  if (packed.data == nullptr) {
    return error(StatusCode::kResourceExhausted, "out of memory: {} bytes for '{}'", weight.bytes,
                 packed.source.name);
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
void CpuBackend::pack_rows(const CpuPacked& packed, int matrix, int first, int rows,
                           std::byte* tile) const {
  const WeightView& source = packed.source;
  const DType dtype = packed.dtype;
  const auto expert = static_cast<std::size_t>(matrix), begin = static_cast<std::size_t>(first);
  const auto columns = source.columns, count = static_cast<std::size_t>(rows);
  std::vector<float> scales(dtype == DType::kI8 ? count : 0);
  QUIRE_CHECK(first >= 0 && rows > 0 && first + rows <= static_cast<int>(source.rows) &&
                  expert < source.matrices.size(),
              "'{}': rows {} + {} of {}, matrix {} of {}", source.name, first, rows, source.rows,
              matrix, source.matrices.size());
  if (dtype == source.dtype && source.matrices[expert].deltas.empty()) {
    pack_stored_rows(source, expert, begin, count, tile);
    return;
  }
  std::vector<float> values(count * columns);
  std::vector<std::int8_t> codes;
  for (std::size_t i = 0; i < count; ++i) read_row(source, expert, begin + i, &values[i * columns]);
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
  std::vector<std::uint16_t> halves;
  if (dtype == DType::kF16 || dtype == DType::kBF16) {
    for (const float value : values) {
      halves.push_back(dtype == DType::kF16 ? float_to_half(value) : float_to_bf16(value));
    }
    from = reinterpret_cast<const std::byte*>(halves.data());
  }
  pack_tile(dtype, kernels_.tile_rows, rows, columns, from, tile,
            {scales.empty() ? nullptr : scales.data()});
}

// Rows in the type that they have.
void CpuBackend::pack_stored_rows(const WeightView& source, std::size_t expert, std::size_t begin,
                                  std::size_t count, std::byte* tile) const {
  const Scales& stored = source.matrices[expert].scales;
  const std::size_t group = stored.is_per_row() ? source.columns : stored.per_columns;
  std::vector<float> scales;
  for (std::size_t row = begin; stored && row < begin + count; ++row) {
    for (std::size_t column = 0; column < source.columns; column += group) {
      scales.push_back(stored.at(row, column, source.columns));
    }
  }
  pack_tile(source.dtype, kernels_.tile_rows, static_cast<int>(count), source.columns,
            source.row(expert, begin), tile,
            {stored ? scales.data() : nullptr, stored.per_columns});
}

}  // namespace quire
