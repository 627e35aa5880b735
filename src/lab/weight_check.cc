#include "lab/weight_check.h"

#include <fmt/format.h>

#include <cmath>

#include "kernels/dequantize.h"

namespace quire {
namespace {

// Counts what is not finite in all rows of a tensor.
void read_tensor(const TensorView& view, std::vector<float>& values, WeightReport& report) {
  const std::size_t columns = view.columns(), bytes = row_bytes(view.dtype, columns);
  values.resize(columns);
  WeightFault fault;
  fault.tensor = view.name;
  for (std::size_t row = 0; row < view.rows(); ++row) {
    dequantize_row(view.dtype, view.data + row * bytes, columns, values.data());
    for (std::size_t column = 0; column < columns; ++column) {
      float value = values[column];
      if (view.scales) value *= view.scales.at(row, column, columns);
      if (std::isfinite(value)) continue;
      if (fault.count++ > 0) continue;
      fault.row = row;
      fault.column = column;
      fault.value = value;
    }
  }
  ++report.tensors;
  report.values += view.rows() * columns;
  if (fault.count > 0) report.faults.push_back(std::move(fault));
}

}  // namespace

Result<WeightReport> check_weights(const TensorRules& rules, const TensorFinder& find,
                                   const std::function<void(std::string_view rule)>& done) {
  WeightReport report;
  std::vector<float> values;
  for (const TensorRule& rule : rules.rules) {
    auto whole = find(rule.canonical);
    if (!whole.is_ok() && rule.is_optional) continue;
    if (whole.is_ok() && whole->data != nullptr) {
      read_tensor(*whole, values, report);
      if (done) done(rule.canonical);
      continue;
    }
    if (!rule.is_stack()) {
      if (!whole.is_ok()) return whole.status();
      return error(StatusCode::kCorrupt, "tensor '{}' cannot be read", rule.canonical);
    }
    for (std::size_t one = 0; one < rule.shape[0]; ++one) {  // they do not lie together
      QUIRE_ASSIGN_OR_RETURN(const TensorView view,
                             find(fmt::format("{}.{}", rule.canonical, one)));
      read_tensor(view, values, report);
    }
    if (done) done(rule.canonical);
  }
  return report;
}

std::string fault_sentence(const WeightFault& fault) {
  std::string text = fmt::format("'{}' has {} at row {}, column {}", fault.tensor, fault.value,
                                 fault.row, fault.column);
  if (fault.count > 1) {
    text += fmt::format(", and {} more {} not finite", fault.count - 1,
                        fault.count == 2 ? "value that is" : "values that are");
  }
  return text;
}

}  // namespace quire
