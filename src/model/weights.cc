#include "model/weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "model/tensor_match.h"
#include "tensor/float_bits.h"

namespace quire {

WeightScheme scheme_of(Role role, WeightScheme wanted) {
  if (role == Role::kRouter) return WeightScheme::kFloat32;  // a near tie must not turn over
  // A head's part of a product is a step of its own: nothing that a checkpoint rounds.
  if (role == Role::kHeads && wanted == WeightScheme::kAsAsked) return WeightScheme::kAsStored;
  const bool stays = wanted == WeightScheme::kW8A8 &&
                     (role == Role::kTable || role == Role::kHead || role == Role::kHeads);
  return stays ? WeightScheme::kAsStored : wanted;
}

WeightLoader::WeightLoader(const TensorRules& rules, const TensorFinder& find, Backend& backend,
                           WeightScheme scheme, const LoadProgress& progress)
    : rules_(rules), find_(find), backend_(backend), scheme_(scheme), progress_(progress) {
  matrices_ = static_cast<std::size_t>(
      std::count_if(rules.rules.begin(), rules.rules.end(),
                    [](const TensorRule& rule) { return !rule.is_vector(); }));
}

const TensorRule* WeightLoader::rule_of(const std::string& name) const {
  const auto at = std::find_if(rules_.rules.begin(), rules_.rules.end(),
                               [&](const TensorRule& rule) { return rule.canonical == name; });
  return at == rules_.rules.end() ? nullptr : &*at;
}

bool WeightLoader::has(const std::string& name) const {
  const TensorRule* rule = rule_of(name);
  return rule != nullptr && (!rule->is_optional || find_(name).is_ok());
}

Result<TensorView> WeightLoader::view_of(const std::string& name) {
  const TensorRule* rule = rule_of(name);
  QUIRE_CHECK(rule != nullptr, "no rule for tensor '{}'", name);
  QUIRE_ASSIGN_OR_RETURN(TensorView view, find_(name));
  if (view.shape == rule->shape) return view;
  return error(StatusCode::kCorrupt, "tensor '{}' ({}) has the shape [{}], not [{}]", name,
               view.name, fmt::join(view.shape, ", "), fmt::join(rule->shape, ", "));
}

Status WeightLoader::keep(const Weight& weight, bool is_packed) {
  bytes_ += weight.bytes;
  if (is_packed) QUIRE_RETURN_IF_ERROR(backend_.pack(weight));
  ++done_;
  if (progress_) progress_(done_, std::max(matrices_, done_));
  return ok_status();
}

Result<Weight> WeightLoader::load(const std::string& name, bool is_packed) {
  const TensorRule* rule = rule_of(name);
  // A small table may be held as floats: rows of a vector.
  QUIRE_CHECK(rule != nullptr && (!is_packed || !rule->is_vector()), "no rule for a matrix '{}'",
              name);
  QUIRE_ASSIGN_OR_RETURN(const WeightView view, weight_view(find_, *rule));
  QUIRE_ASSIGN_OR_RETURN(const Weight weight,
                         backend_.adopt(view, scheme_of(rule->role, scheme_)));
  QUIRE_RETURN_IF_ERROR(keep(weight, is_packed));
  return weight;
}

Result<std::vector<float>> WeightLoader::values(const std::string& name) {
  QUIRE_ASSIGN_OR_RETURN(const TensorView view, view_of(name));
  const std::size_t count = view.rows() * view.columns();
  if (!view.deltas.empty()) {
    return error(StatusCode::kUnsupported, "tensor '{}' ({}): an adapter adds to it, but something "
                 "else is made of it", name, view.name);
  }
  std::vector<float> values(count);
  const auto* halves = reinterpret_cast<const std::uint16_t*>(view.data);
  switch (view.dtype) {
    case DType::kF32: std::memcpy(values.data(), view.data, values.size() * sizeof(float)); break;
    case DType::kF16:
      for (std::size_t i = 0; i < count; ++i) values[i] = half_to_float(halves[i]);
      break;
    case DType::kBF16:
      for (std::size_t i = 0; i < count; ++i) values[i] = bf16_to_float(halves[i]);
      break;
    default:
      return error(StatusCode::kUnsupported, "tensor '{}' ({}) is a vector of type {}", name,
                   view.name, dtype_name(view.dtype));
  }
  return values;
}

Result<Vector> WeightLoader::vector(const std::string& name) {
  QUIRE_ASSIGN_OR_RETURN(const std::vector<float> numbers, values(name));
  return backend_.vector(numbers);
}

Result<Vector> WeightLoader::optional_vector(const std::string& name) {
  if (!has(name)) return Vector();
  return vector(name);
}

}  // namespace quire
