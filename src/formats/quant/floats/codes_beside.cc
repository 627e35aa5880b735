#include "formats/quant/floats/codes_beside.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "tensor/float_bits.h"

namespace quire {
namespace {

constexpr std::string_view kOfActivations[] = {
    ".input_scale", ".activation_scale", ".input_scale_ub", ".input_global_scale",
    ".output_scale",
};
constexpr std::string_view kOfCache[] = {".k_scale", ".v_scale", ".q_scale", ".kv_scale"};

bool has_ending(std::string_view name, std::span<const std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

float value_at(const TensorView& tensor, std::size_t i) {
  if (tensor.dtype == DType::kF32) return reinterpret_cast<const float*>(tensor.data)[i];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(tensor.data)[i];
  return tensor.dtype == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

Result<std::vector<float>> read_scales(const TensorView& tensor) {
  const bool is_float = tensor.dtype == DType::kF32 || tensor.dtype == DType::kF16 ||
                        tensor.dtype == DType::kBF16;
  if (!is_float) {
    return error(StatusCode::kCorrupt, "tensor '{}': scales of type {}", tensor.name,
                 dtype_name(tensor.dtype));
  }
  std::vector<float> scales(tensor.rows() * tensor.columns());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    scales[i] = value_at(tensor, i);
    if (std::isnormal(scales[i]) && scales[i] > 0) continue;
    return error(StatusCode::kCorrupt, "tensor '{}': scale {} is {}, not a positive number",
                 tensor.name, i, scales[i]);
  }
  return scales;
}

std::size_t blocks_of(std::size_t size, std::size_t block) { return (size + block - 1) / block; }

// One scale for each block of each matrix of `codes`; where blocks do not end with a matrix, each
// row gets its own.
Status place_blocks(const CodesBeside& layout, std::size_t matrices, std::vector<float>& scales,
                    TensorView& codes) {
  const std::size_t rows = codes.rows() / matrices;
  const std::size_t down = blocks_of(rows, layout.block_rows);
  const std::size_t across = blocks_of(codes.columns(), layout.block_columns);
  codes.scales = {nullptr, layout.block_rows, layout.block_columns};
  if (scales.size() != matrices * down * across) {
    return error(StatusCode::kCorrupt, "{} scales, but blocks of {} x {} of [{}] need {}",
                 scales.size(), layout.block_rows, layout.block_columns,
                 fmt::join(codes.shape, ", "), matrices * down * across);
  }
  if (matrices == 1 || rows % layout.block_rows == 0) return ok_status();
  std::vector<float> of_rows;
  for (std::size_t row = 0; row < codes.rows(); ++row) {
    const std::size_t block = row / rows * down + row % rows / layout.block_rows;
    for (std::size_t i = 0; i < across; ++i) of_rows.push_back(scales[block * across + i]);
  }
  scales = std::move(of_rows);
  codes.scales.per_rows = 1;
  return ok_status();
}

Status place_scales(const CodesBeside& layout, const std::string& name, std::vector<float>& scales,
                    TensorView& codes) {
  std::size_t matrices = 1;
  for (std::size_t i = 0; i + 2 < codes.shape.size(); ++i) matrices *= codes.shape[i];
  if (layout.block_rows != 0) {
    const Status status = place_blocks(layout, matrices, scales, codes);
    return status.is_ok() ? status
                          : error(status.code(), "tensor '{}': {}", name, status.message());
  }
  if (scales.size() == 1 || scales.size() == matrices) {
    codes.scales = {nullptr, codes.rows() / scales.size()};
    return ok_status();
  }
  codes.scales = {nullptr, 1};
  if (scales.size() == codes.rows()) return ok_status();
  return error(StatusCode::kCorrupt,
               "tensor '{}': {} scales, but '{}' [{}] has one, one for each row, or blocks that "
               "the configuration states",
               name, scales.size(), codes.name, fmt::join(codes.shape, ", "));
}

Status attach(const CodesBeside& layout, const TensorView& codes, ModuleTensors& tensors) {
  if (codes.shape.size() < 2 || codes.rows() == 0 || codes.columns() == 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': {} of shape [{}], which is no matrix",
                 codes.name, dtype_name(codes.dtype), fmt::join(codes.shape, ", "));
  }
  const TensorView* found = nullptr;
  for (const std::string_view ending : layout.endings) {
    if (found == nullptr) found = tensors.take_floats(codes.name + std::string(ending));
  }
  if (found == nullptr) {
    return error(StatusCode::kCorrupt, "tensor '{}{}': missing, but quantization_config needs it",
                 codes.name, layout.endings.front());
  }
  QUIRE_ASSIGN_OR_RETURN(std::vector<float> scales, read_scales(*found));
  TensorView view = codes;
  view.dtype = layout.tile;
  QUIRE_RETURN_IF_ERROR(place_scales(layout, found->name, scales, view));
  view.input = layout.asked.rule;
  if (layout.asked.is_stated && codes.name.ends_with(".weight")) {
    QUIRE_ASSIGN_OR_RETURN(view.input.scale,
                           tensors.take_input_scale(codes.name.substr(0, codes.name.size() - 7)));
  }
  tensors.put(codes, std::move(view), std::move(scales));
  return ok_status();
}

}  // namespace

Status attach_beside(const CodesBeside& layout, const FileTensors& file, ModuleTensors& tensors) {
  std::size_t count = 0;
  for (const TensorView& tensor : file.tensors) {
    if (tensor.dtype != layout.codes) continue;
    QUIRE_RETURN_IF_ERROR(attach(layout, tensor, tensors));
    ++count;
  }
  if (count > 0) return ok_status();
  return error(StatusCode::kCorrupt, "quantization_config in config.json: no tensor is {}",
               dtype_name(layout.codes));
}

bool is_cache_scale(std::string_view name) { return has_ending(name, kOfCache); }

void drop_activation_scales(const FileTensors& file, ModuleTensors& tensors) {
  for (const TensorView& tensor : file.tensors) {
    if (has_ending(tensor.name, kOfActivations) || is_cache_scale(tensor.name)) {
      tensors.take_floats(tensor.name);
    }
  }
}

}  // namespace quire
