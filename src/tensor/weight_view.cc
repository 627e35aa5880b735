#include "tensor/weight_view.h"

#include "base/check.h"

namespace quire {

WeightView::WeightView(const TensorView& matrix)
    : name(matrix.name),
      dtype(matrix.dtype),
      rows(matrix.rows()),
      columns(matrix.columns()),
      matrices{{matrix.data, matrix.scales, matrix.input, matrix.deltas}},
      input_scale(matrix.input_scale) {}

Result<WeightView> WeightView::of(std::span<const TensorView> matrices) {
  QUIRE_CHECK(!matrices.empty(), "a weight of no matrices");
  const TensorView& first = matrices.front();
  WeightView view(first);
  for (const TensorView& matrix : matrices.subspan(1)) {
    if (matrix.shape != first.shape || matrix.dtype != first.dtype) {
      return error(StatusCode::kUnsupported, "tensor '{}' has not the shape and type of '{}'",
                   matrix.name, first.name);
    }
    if (matrix.input_scale != first.input_scale) {
      return error(StatusCode::kUnsupported,
                   "tensor '{}': input_scale is {}, but that of '{}' {}: they share their input",
                   matrix.name, matrix.input_scale, first.name, first.input_scale);
    }
    view.matrices.push_back({matrix.data, matrix.scales, matrix.input, matrix.deltas});
  }
  return view;
}

}  // namespace quire
