#include "formats/quant/weight_scales.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "tensor/float_bits.h"

namespace quire {
namespace {

float value_at(const TensorView& tensor, std::size_t i) {
  if (tensor.dtype == DType::kF32) return reinterpret_cast<const float*>(tensor.data)[i];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(tensor.data)[i];
  return tensor.dtype == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

// The scales of one module after the other.
class ScaleReader {
 public:
  ScaleReader(std::span<const TensorView> file, const TensorPlace& place)
      : file_(file), place_(place), is_used_(file.size()) {
    for (std::size_t i = 0; i < file.size(); ++i) by_name_.emplace(file[i].name, i);
  }

  // `count` positive numbers.
  Result<std::vector<float>> take(const std::string& name, std::size_t count) {
    const TensorView* tensor = use(name);
    if (tensor == nullptr) {
      return error(StatusCode::kCorrupt, "tensor '{}': missing, but quantization_config needs it",
                   name);
    }
    const std::size_t values = tensor->rows() * tensor->columns();
    const bool is_column = tensor->shape.size() == 1 || values == tensor->shape[0];
    if (tensor->dtype == DType::kI8 || values != count || !is_column) {
      return error(StatusCode::kCorrupt, "tensor '{}' {}: {} {} values are no {} scales", name,
                   place_(*tensor), values, dtype_name(tensor->dtype), count);
    }
    std::vector<float> scales(count);
    for (std::size_t i = 0; i < count; ++i) {
      scales[i] = value_at(*tensor, i);
      if (std::isnormal(scales[i]) && scales[i] > 0) continue;
      return error(StatusCode::kCorrupt, "tensor '{}' {}: scale {} is {}, not a positive number",
                   name, place_(*tensor), i, scales[i]);
    }
    return scales;
  }

  // The zero points of symmetric codes: none, or zeros.
  Status check_zero_points(const std::string& name) {
    const TensorView* tensor = use(name);
    if (tensor == nullptr) return ok_status();
    const bool is_zero = std::all_of(tensor->data, tensor->data + tensor->bytes(),
                                     [](std::byte byte) { return byte == std::byte{0}; });
    if (is_zero) return ok_status();
    return error(StatusCode::kUnsupported, "tensor '{}' {}: zero points other than 0", name,
                 place_(*tensor));
  }

  bool is_used(std::size_t index) const { return is_used_[index]; }

 private:
  const TensorView* use(const std::string& name) {
    const auto at = by_name_.find(name);
    if (at == by_name_.end()) return nullptr;
    is_used_[at->second] = true;
    return &file_[at->second];
  }

  std::span<const TensorView> file_;
  const TensorPlace& place_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::vector<bool> is_used_;
};

constexpr std::string_view kWeight = ".weight";

bool is_linear(const TensorView& tensor) {
  return tensor.shape.size() == 2 && tensor.name.ends_with(kWeight) &&
         !tensor.name.ends_with("embed_tokens.weight");
}

// Gives an int8 weight the scales of its module.
Status attach(const CompressedTensors& quantization, const std::string& module,
              ScaleReader& reader, TensorView& weight, std::vector<std::vector<float>>& scales) {
  const std::size_t rows = weight.rows();
  if (rows == 0 || weight.columns() == 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': it is no matrix", weight.name);
  }
  const bool is_per_row = quantization.is_per_channel;
  QUIRE_ASSIGN_OR_RETURN(std::vector<float> read,
                         reader.take(module + ".weight_scale", is_per_row ? rows : 1));
  scales.push_back(std::move(read));
  weight.scales = {scales.back().data(), is_per_row ? 1 : rows};
  if (quantization.is_input_static) {
    QUIRE_ASSIGN_OR_RETURN(const auto input, reader.take(module + ".input_scale", 1));
    weight.input_scale = input[0];
  }
  QUIRE_RETURN_IF_ERROR(reader.check_zero_points(module + ".weight_zero_point"));
  return reader.check_zero_points(module + ".input_zero_point");
}

}  // namespace

Result<ScaledTensors> attach_scales(const CompressedTensors& quantization,
                                    std::span<const TensorView> file, const TensorPlace& place) {
  ScaledTensors result;
  ScaleReader reader(file, place);
  std::vector<TensorView> all(file.begin(), file.end());
  for (TensorView& tensor : all) {
    if (!is_linear(tensor)) continue;
    const std::string module = tensor.name.substr(0, tensor.name.size() - kWeight.size());
    const bool is_int8 = tensor.dtype == DType::kI8;
    if (is_int8 == quantization.is_ignored(module)) {
      return error(StatusCode::kCorrupt,
                   "tensor '{}' {}: it is {}, but ignore of quantization_config in config.json {} "
                   "its module",
                   tensor.name, place(tensor), dtype_name(tensor.dtype),
                   is_int8 ? "lists" : "does not list");
    }
    if (is_int8) QUIRE_RETURN_IF_ERROR(attach(quantization, module, reader, tensor, result.scales));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (reader.is_used(i)) continue;
    if (all[i].name.ends_with(".weight_scale")) {
      return error(StatusCode::kCorrupt, "tensor '{}' {}: there is no matrix of I8 beside it",
                   all[i].name, place(all[i]));
    }
    result.tensors.push_back(std::move(all[i]));
  }
  return result;
}

}  // namespace quire
