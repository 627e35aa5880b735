#include "lab/model_cost.h"

#include <algorithm>
#include <cmath>
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
  peak[static_cast<int>(ActivationForm::kInt8Token)] = roofline.int8_token_operations_per_second;
  double seconds = 0;
  for (std::size_t i = 0; i < peak.size(); ++i) seconds += 2 * elements[i] / peak[i];
  return seconds;
}

}  // namespace

double ModelCost::elements() const { return sum(body_elements) + sum(head_elements); }

double ModelCost::kv_bytes_per_token() const {
  double bytes = 0;
  for (const AttentionCost& group : attention) bytes += group.bytes_per_token;
  return bytes;
}

double ModelCost::memory_bytes(double context) const {
  double bytes = state_bytes;
  for (const AttentionCost& group : attention) {
    const double seen = group.window > 0 ? std::min<double>(group.window, context) : context;
    bytes += seen * group.bytes_per_token;
  }
  return bytes;
}

double ModelCost::weight_bytes_of(double rows) const {
  return weight_bytes + expert_bytes * (1 - std::pow(1 - expert_share, rows));
}

Result<ModelCost> count_model_cost(const Design& design, const TensorFinder& find, KvTypes kv_dtype,
                                   WeightScheme weights) {
  ModelCost cost;
  const ModelFacts& facts = design.facts;
  for (const TensorRule& rule : design.tensors.rules) {
    const bool is_head = rule.role == Role::kHead ||
                         (rule.role == Role::kTable && facts.has_tied_head);
    if (rule.is_vector() || (rule.role == Role::kTable && !is_head)) continue;
    QUIRE_ASSIGN_OR_RETURN(TensorView view, find(rule.canonical));
    if (scheme_of(rule.role, weights) == WeightScheme::kW8A8) view.dtype = DType::kI8;
    const bool is_experts = rule.role == Role::kExperts;
    const double share =
        is_experts ? static_cast<double>(facts.experts_active) / facts.experts : 1;
    Elements& elements = is_head ? cost.head_elements : cost.body_elements;
    elements[static_cast<int>(activation_form(view.dtype))] +=
        share * static_cast<double>(view.rows()) * static_cast<double>(view.columns());
    const std::size_t in_row =
        view.scales.is_per_row() ? 1 : view.columns() / view.scales.per_columns;
    const std::size_t scales =
        has_scales_beside(view.dtype) ? view.rows() * in_row * sizeof(float) : 0;
    (is_experts ? cost.expert_bytes : cost.weight_bytes) +=
        static_cast<double>(view.bytes() + scales);
    if (is_experts) cost.expert_share = share;
  }
  for (const GroupFacts& group : facts.groups) {
    const auto layers = static_cast<double>(group.layers.size());
    if (group.holds_state) {
      cost.state_bytes += 2 * layers * static_cast<double>(group.state_bytes);
      continue;
    }
    const auto head = static_cast<double>(kv_head_bytes(kv_dtype.k, group.k_width) +
                                          (group.v_width == 0
                                               ? 0 : kv_head_bytes(kv_dtype.v, group.v_width)));
    const int v_width = group.v_width == 0 ? group.k_width : group.v_width;
    cost.attention.push_back(
        {layers * group.kv_heads * head / kBlockTokens,
         2 * layers * group.heads * (group.k_width + v_width),  // q * k and p * v
         group.window});
  }
  return cost;
}

StepLimit decode_limit(const ModelCost& cost, const Roofline& roofline, int rows, double context) {
  const double kv = rows * cost.memory_bytes(context);
  const double reading = cost.weight_bytes_of(rows) / roofline.read_bytes_per_second;
  const double computing = rows * (product_seconds(cost.body_elements, roofline) +
                                   product_seconds(cost.head_elements, roofline));
  return {std::max(reading, computing) + kv / roofline.read_bytes_per_second,
          reading > computing};
}

StepLimit prefill_limit(const ModelCost& cost, const Roofline& roofline, int tokens) {
  // A causal prompt has a pair for every key at or before each query, within the window.
  const double n = tokens;
  double flops = 0;
  for (const AttentionCost& group : cost.attention) {
    const double window = group.window > 0 ? std::min<double>(group.window, n) : n;
    flops += (window * (window + 1) / 2 + (n - window) * window) * group.flops_per_pair;
  }
  const double attention_peak =
      std::max(roofline.bf16_operations_per_second, roofline.f32_operations_per_second);
  const double reading = cost.weight_bytes_of(n) / roofline.read_bytes_per_second;
  const double computing = n * product_seconds(cost.body_elements, roofline) +
                           product_seconds(cost.head_elements, roofline) +
                           flops / attention_peak;
  return {std::max(reading, computing), reading > computing};
}

}  // namespace quire
