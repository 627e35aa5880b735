#include "formats/quant/module_tensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "tensor/float_bits.h"

namespace quire {
namespace {

float float_at(const TensorView& tensor, std::size_t i) {
  if (tensor.dtype == DType::kF32) return reinterpret_cast<const float*>(tensor.data)[i];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(tensor.data)[i];
  return tensor.dtype == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

Status missing(const std::string& name) {
  return error(StatusCode::kCorrupt, "tensor '{}': missing, but quantization_config needs it",
               name);
}

Status misshapen(const std::string& name, const std::vector<std::size_t>& has,
                 const std::vector<std::size_t>& needed) {
  return error(StatusCode::kCorrupt,
               "tensor '{}': shape [{}], but quantization_config and the tensors beside it need "
               "[{}]",
               name, fmt::join(has, ", "), fmt::join(needed, ", "));
}

}  // namespace

ModuleTensors::ModuleTensors(const FileTensors& file) : file_(file) {
  for (const TensorView& tensor : file.tensors) views_.emplace(tensor.name, &tensor);
  for (const IntegerTensor& tensor : file.integers) integers_.emplace(tensor.name, &tensor);
}

Result<std::vector<std::string>> ModuleTensors::modules(std::string_view ending) const {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    if (name.ends_with(ending)) names.emplace_back(name.substr(0, name.size() - ending.size()));
  };
  for (const IntegerTensor& tensor : file_.integers) add(tensor.name);
  for (const TensorView& tensor : file_.tensors) add(tensor.name);
  if (!names.empty()) return names;
  return error(StatusCode::kCorrupt,
               "quantization_config in config.json: no tensor is called '...{}'", ending);
}

bool ModuleTensors::has(const std::string& name) const {
  return views_.contains(name) || integers_.contains(name);
}

const TensorView* ModuleTensors::floats(const std::string& name) const {
  const auto at = views_.find(name);
  return at == views_.end() ? nullptr : at->second;
}

const IntegerTensor* ModuleTensors::take_any(const std::string& name) {
  const auto at = integers_.find(name);
  if (at == integers_.end()) return nullptr;
  taken_.insert(at->first);
  return at->second;
}

Result<const IntegerTensor*> ModuleTensors::take_words(const std::string& name,
                                                       const Shape& shape) {
  const IntegerTensor* tensor = take_any(name);
  if (tensor == nullptr && views_.contains(name)) {
    return error(StatusCode::kCorrupt, "tensor '{}': it is {}, not I32", name,
                 dtype_name(views_.at(name)->dtype));
  }
  if (tensor == nullptr) return missing(name);
  if (tensor->width != 4) {
    return error(StatusCode::kCorrupt, "tensor '{}': it is I64, not I32", name);
  }
  if (!shape.empty()) {
    if (tensor->shape != shape) return misshapen(name, tensor->shape, shape);
    return tensor;
  }
  if (tensor->shape.size() == 2 && tensor->shape[0] > 0 && tensor->shape[1] > 0) return tensor;
  return error(StatusCode::kCorrupt, "tensor '{}': shape [{}] is no matrix of packed integers",
               name, fmt::join(tensor->shape, ", "));
}

Result<const TensorView*> ModuleTensors::take_view(const std::string& name, const Shape& shape) {
  const TensorView* tensor = floats(name);
  if (tensor == nullptr && integers_.contains(name)) {
    return error(StatusCode::kCorrupt, "tensor '{}': it is of integers of {} bytes", name,
                 integers_.at(name)->width);
  }
  if (tensor == nullptr) return missing(name);
  taken_.insert(tensor->name);
  if (tensor->shape != shape) return misshapen(name, tensor->shape, shape);
  return tensor;
}

Result<const TensorView*> ModuleTensors::take_scales(const std::string& name, const Shape& shape) {
  QUIRE_ASSIGN_OR_RETURN(const TensorView* tensor, take_view(name, shape));
  if (tensor->dtype == DType::kF32 || tensor->dtype == DType::kF16 ||
      tensor->dtype == DType::kBF16) {
    return tensor;
  }
  return error(StatusCode::kCorrupt, "tensor '{}': scales of type {}", name,
               dtype_name(tensor->dtype));
}

Result<const TensorView*> ModuleTensors::take_bytes(const std::string& name, const Shape& shape) {
  QUIRE_ASSIGN_OR_RETURN(const TensorView* tensor, take_view(name, shape));
  if (tensor->dtype == DType::kI8) return tensor;
  return error(StatusCode::kCorrupt, "tensor '{}': it is {}, not I8 or I32", name,
               dtype_name(tensor->dtype));
}

const TensorView* ModuleTensors::take_floats(const std::string& name) {
  const TensorView* tensor = floats(name);
  if (tensor != nullptr) taken_.insert(tensor->name);
  return tensor;
}

Result<const TensorView*> ModuleTensors::take_of(DType dtype, const std::string& name,
                                                 const Shape& shape) {
  QUIRE_ASSIGN_OR_RETURN(const TensorView* tensor, take_view(name, shape));
  if (tensor->dtype == dtype) return tensor;
  return error(StatusCode::kCorrupt, "tensor '{}': it is {}, not {}", name,
               dtype_name(tensor->dtype), dtype_name(dtype));
}

Result<const IntegerTensor*> ModuleTensors::take_octets(const std::string& name,
                                                        const Shape& shape,
                                                        std::size_t dimensions) {
  const IntegerTensor* tensor = take_any(name);
  if (tensor == nullptr && views_.contains(name)) {
    return error(StatusCode::kCorrupt, "tensor '{}': it is {}, not U8", name,
                 dtype_name(views_.at(name)->dtype));
  }
  if (tensor == nullptr) return missing(name);
  if (tensor->width != 1) {
    return error(StatusCode::kCorrupt, "tensor '{}': integers of {} bytes, not U8", name,
                 tensor->width);
  }
  if (!shape.empty()) {
    if (tensor->shape != shape) return misshapen(name, tensor->shape, shape);
    return tensor;
  }
  const bool is_empty = std::find(tensor->shape.begin(), tensor->shape.end(), 0) !=
                        tensor->shape.end();
  if (tensor->shape.size() == dimensions && !is_empty) return tensor;
  return error(StatusCode::kCorrupt, "tensor '{}': shape [{}], but {} dimensions without 0 are "
               "needed", name, fmt::join(tensor->shape, ", "), dimensions);
}

Result<std::vector<std::uint32_t>> ModuleTensors::take_groups(const std::string& name,
                                                              std::size_t columns,
                                                              std::size_t group) {
  if (!has(name)) return std::vector<std::uint32_t>();
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* indices, take_words(name, {columns}));
  std::vector<std::uint32_t> group_of(indices->words(), indices->words() + columns);
  bool is_usual = true;
  for (std::size_t i = 0; i < columns; ++i) {
    if (group_of[i] >= columns / group) {
      return error(StatusCode::kCorrupt,
                   "tensor '{}': the group of input {} is {}, but there are {}", name, i,
                   static_cast<std::int32_t>(group_of[i]), columns / group);
    }
    is_usual &= group_of[i] == i / group;
  }
  if (is_usual) group_of.clear();
  return group_of;
}

// Modules that read the same numbers have the same order most often: it is kept once, so that what
// they read is arranged once.
const std::uint32_t* ModuleTensors::keep_order(std::vector<std::uint32_t> order) {
  auto& kept = made_.orders;
  const auto at = std::find_if(kept.begin(), kept.end(),
                               [&](const auto& other) { return *other == order; });
  if (at != kept.end()) return (*at)->data();
  kept.push_back(std::make_shared<const std::vector<std::uint32_t>>(std::move(order)));
  return kept.back()->data();
}

Result<float> ModuleTensors::take_input_scale(const std::string& module) {
  for (const char* ending : {".input_scale", ".activation_scale", ".input_global_scale"}) {
    const TensorView* tensor = floats(module + ending);
    const bool is_float = tensor != nullptr &&
                          (tensor->dtype == DType::kF32 || tensor->dtype == DType::kF16 ||
                           tensor->dtype == DType::kBF16);
    if (!is_float) continue;
    taken_.insert(tensor->name);
    float largest = 0;
    for (std::size_t i = 0; i < tensor->rows() * tensor->columns(); ++i) {
      const float value = float_at(*tensor, i);
      if (!std::isnormal(value) || value < 0) {
        return error(StatusCode::kCorrupt, "tensor '{}': scale {} is {}, not a positive number",
                     tensor->name, i, value);
      }
      largest = std::max(largest, value);
    }
    return largest;
  }
  return 0.0f;
}

Status ModuleTensors::put(GroupedCodes codes) {
  QUIRE_ASSIGN_OR_RETURN(Unpacked unpacked, unpack(std::move(codes)));
  if (!unpacked.order.empty()) unpacked.view.input.order = keep_order(std::move(unpacked.order));
  return put(std::move(unpacked.view), std::move(unpacked.late), std::move(unpacked.reason));
}

Status ModuleTensors::put(TensorView view, std::shared_ptr<const LateTensor> late,
                          std::string reason, std::vector<float> scales) {
  if (has(view.name) && !taken_.contains(view.name)) {
    return error(StatusCode::kCorrupt, "tensor '{}': it is there as codes, too", view.name);
  }
  if (!reason.empty() && made_.rounded++ == 0) {
    made_.reason = fmt::format("'{}': {}", view.name, reason);
  }
  if (!scales.empty()) {
    made_.scales.push_back(std::move(scales));
    view.scales.values = made_.scales.back().data();
  }
  made_.late.emplace(view.name, std::move(late));
  made_.tensors.push_back(std::move(view));
  return ok_status();
}

void ModuleTensors::put(const TensorView& codes, TensorView view, std::vector<float> scales) {
  taken_.insert(codes.name);
  made_.scales.push_back(std::move(scales));
  view.scales.values = made_.scales.back().data();
  made_.tensors.push_back(std::move(view));
}

Result<ScaledTensors> ModuleTensors::result() {
  for (const IntegerTensor& tensor : file_.integers) {
    if (taken_.contains(tensor.name)) continue;
    return error(StatusCode::kUnsupported,
                 "tensor '{}' at offset {}: integers that quantization_config does not explain",
                 tensor.name, tensor.offset);
  }
  for (const TensorView& tensor : file_.tensors) {
    if (!taken_.contains(tensor.name)) made_.tensors.push_back(tensor);
  }
  return std::move(made_);
}

}  // namespace quire
