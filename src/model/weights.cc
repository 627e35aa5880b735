#include "model/weights.h"

#include <cstring>

#include "tensor/float_bits.h"

namespace quire {

Result<Weight> WeightLoader::load(const std::string& name, int rows, int columns, bool is_packed) {
  QUIRE_ASSIGN_OR_RETURN(const TensorView view, find_(name));
  if (view.shape.size() != 2 || view.rows() != static_cast<std::size_t>(rows) ||
      view.columns() != static_cast<std::size_t>(columns)) {
    return error(StatusCode::kCorrupt, "tensor '{}' ({}) is not a matrix of {} x {}", name,
                 view.name, rows, columns);
  }
  const bool stays = scheme_ == WeightScheme::kW8A8 && !name.starts_with("layers.");
  QUIRE_ASSIGN_OR_RETURN(Weight weight,
                         backend_.adopt(view, stays ? WeightScheme::kAsStored : scheme_));
  bytes_ += weight.bytes;
  if (is_packed) QUIRE_RETURN_IF_ERROR(backend_.pack(weight));
  if (progress_) progress_(++done_, tensors_);
  return weight;
}

Result<std::vector<float>> WeightLoader::vector(const std::string& name, int count) {
  QUIRE_ASSIGN_OR_RETURN(const TensorView view, find_(name));
  if (view.rows() * view.columns() != static_cast<std::size_t>(count)) {
    return error(StatusCode::kCorrupt, "tensor '{}' ({}) has {} values, not {}", name, view.name,
                 view.rows() * view.columns(), count);
  }
  std::vector<float> values(count);
  const auto* halves = reinterpret_cast<const std::uint16_t*>(view.data);
  switch (view.dtype) {
    case DType::kF32: std::memcpy(values.data(), view.data, values.size() * sizeof(float)); break;
    case DType::kF16:
      for (int i = 0; i < count; ++i) values[i] = half_to_float(halves[i]);
      break;
    case DType::kBF16:
      for (int i = 0; i < count; ++i) values[i] = bf16_to_float(halves[i]);
      break;
    default:
      return error(StatusCode::kUnsupported, "tensor '{}' ({}) is a vector of type {}", name,
                   view.name, dtype_name(view.dtype));
  }
  return values;
}

}  // namespace quire
