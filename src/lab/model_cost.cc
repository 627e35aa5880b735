#include "lab/model_cost.h"

#include <algorithm>
#include <numeric>

#include "kernels/kernel_table.h"

namespace quire {
namespace {

using Elements = std::array<double, kActivationForms>;

double sum(const Elements& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// Seconds that the products of one token take at the peaks of their arithmetic.
double product_seconds(const Elements& elements, const Roofline& roofline) {
  Elements peak{};
  peak[static_cast<int>(ActivationForm::kF32)] = roofline.f32_operations_per_second;
  peak[static_cast<int>(ActivationForm::kBF16)] = roofline.bf16_operations_per_second;
  peak[static_cast<int>(ActivationForm::kInt8)] = roofline.int8_operations_per_second;
  peak[static_cast<int>(ActivationForm::kInt8Token)] = roofline.int8_operations_per_second;
  double seconds = 0;
  for (std::size_t i = 0; i < peak.size(); ++i) seconds += 2 * elements[i] / peak[i];
  return seconds;
}

}  // namespace

double ModelCost::elements() const { return sum(body_elements) + sum(head_elements); }

Result<ModelCost> count_model_cost(const Design& design, const TensorFinder& find, DType kv_dtype,
                                   WeightScheme weights) {
  ModelCost cost;
  const ModelFacts& facts = design.facts;
  for (const TensorRule& rule : design.tensors.rules) {
    const bool is_head = rule.role == Role::kHead ||
                         (rule.role == Role::kTable && facts.has_tied_head);
    if (rule.is_vector() || (rule.role == Role::kTable && !is_head)) continue;
    QUIRE_ASSIGN_OR_RETURN(TensorView view, find(rule.canonical));
    if (scheme_of(rule.role, weights) == WeightScheme::kW8A8) view.dtype = DType::kI8;
    Elements& elements = is_head ? cost.head_elements : cost.body_elements;
    elements[static_cast<int>(activation_form(view.dtype))] +=
        static_cast<double>(view.rows()) * static_cast<double>(view.columns());
    const std::size_t scales = view.dtype == DType::kI8 ? view.rows() * sizeof(float) : 0;
    cost.weight_bytes += static_cast<double>(view.bytes() + scales);
  }
  for (const GroupFacts& group : facts.groups) {
    const auto layers = static_cast<double>(group.layers.size());
    const double bytes = static_cast<double>(kv_head_bytes(kv_dtype, group.k_width) +
                                             kv_head_bytes(kv_dtype, group.v_width));
    cost.kv_bytes_per_token += layers * group.kv_heads * bytes / kBlockTokens;
    cost.attention_flops_per_pair +=
        2 * layers * group.heads * (group.k_width + group.v_width);  // q * k and p * v
    cost.window = group.window;
  }
  return cost;
}

StepLimit decode_limit(const ModelCost& cost, const Roofline& roofline, int rows, double context) {
  const double seen = cost.window > 0 ? std::min<double>(cost.window, context) : context;
  const double reading = cost.weight_bytes / roofline.read_bytes_per_second;
  const double computing = rows * (product_seconds(cost.body_elements, roofline) +
                                   product_seconds(cost.head_elements, roofline));
  const double kv = rows * seen * cost.kv_bytes_per_token / roofline.read_bytes_per_second;
  return {std::max(reading, computing) + kv, reading > computing};
}

StepLimit prefill_limit(const ModelCost& cost, const Roofline& roofline, int tokens) {
  // A causal prompt has a pair for every key at or before each query, within the window.
  const double n = tokens, window = cost.window > 0 ? std::min<double>(cost.window, n) : n;
  const double pairs = window * (window + 1) / 2 + (n - window) * window;
  const double attention_peak =
      std::max(roofline.bf16_operations_per_second, roofline.f32_operations_per_second);
  const double reading = cost.weight_bytes / roofline.read_bytes_per_second;
  const double computing = n * product_seconds(cost.body_elements, roofline) +
                           product_seconds(cost.head_elements, roofline) +
                           pairs * cost.attention_flops_per_pair / attention_peak;
  return {std::max(reading, computing), reading > computing};
}

}  // namespace quire
