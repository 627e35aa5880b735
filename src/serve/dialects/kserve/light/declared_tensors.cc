#include "serve/dialects/kserve/light/declared_tensors.h"

#include <fmt/format.h>

#include <algorithm>

namespace quire {
namespace {

using Shape = std::vector<std::int64_t>;

bool fits(const Shape& declared, const Shape& shape) {
  return std::equal(declared.begin(), declared.end(), shape.begin(), shape.end(),
                    [](std::int64_t said, std::int64_t got) { return said < 0 || said == got; });
}

}  // namespace

const ModelTensor* find_declared(const std::vector<ModelTensor>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const ModelTensor& it) { return it.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

Shape declared_shape(const ModelTensor& declared, bool wants_batch, const Shape& shape,
                     bool has_batch) {
  Shape made = shape;
  if (wants_batch == has_batch) return made;
  if (wants_batch) {
    if (fits(declared.dims, shape)) made.insert(made.begin(), 1);
  } else if (!shape.empty() && shape.front() == 1 && !fits(declared.dims, shape)) {
    made.erase(made.begin());
  }
  return made;
}

std::optional<std::string> find_misfit(const ModelTensor& declared, bool wants_batch,
                                       TensorType type, const Shape& shape,
                                       const std::string& what) {
  const TensorTypeInfo& got = tensor_type_info(type);
  if (got.config_name != declared.data_type) {
    return fmt::format("unexpected datatype {} for {}, which expects {}", got.config_name, what,
                       declared.data_type);
  }
  Shape expected = declared.dims;
  if (wants_batch) expected.insert(expected.begin(), -1);
  if (fits(expected, shape)) return std::nullopt;
  return fmt::format("unexpected shape for {}. Expected {}, got {}.", what, shape_text(expected),
                     shape_text(shape));
}

}  // namespace quire
