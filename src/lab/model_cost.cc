#include "lab/model_cost.h"

#include <fmt/format.h>

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

Result<ModelCost> count_model_cost(const ModelConfig& config, const TensorFinder& find,
                                   DType kv_dtype, WeightScheme weights) {
  ModelCost cost;
  const auto add = [&](const std::string& name, Elements& elements, WeightScheme scheme) -> Status {
    QUIRE_ASSIGN_OR_RETURN(TensorView view, find(name));
    if (scheme == WeightScheme::kW8A8) view.dtype = DType::kI8;
    elements[static_cast<int>(activation_form(view.dtype))] +=
        static_cast<double>(view.rows()) * static_cast<double>(view.columns());
    const std::size_t scales = view.dtype == DType::kI8 ? view.rows() * sizeof(float) : 0;
    cost.weight_bytes += static_cast<double>(view.bytes() + scales);
    return ok_status();
  };
  for (int i = 0; i < config.layers; ++i) {
    for (const char* part : {"q", "k", "v", "o", "gate", "up", "down"}) {
      QUIRE_RETURN_IF_ERROR(
          add(fmt::format("layers.{}.{}", i, part), cost.body_elements, weights));
    }
  }
  QUIRE_RETURN_IF_ERROR(add(config.tied_head ? "embed" : "head", cost.head_elements,
                            WeightScheme::kAsStored));
  const double width = static_cast<double>(config.layers) * config.head_dim;
  cost.kv_bytes_per_token =
      2.0 * config.layers * config.kv_heads *
      static_cast<double>(kv_head_bytes(kv_dtype, config.head_dim)) / kBlockTokens;
  cost.attention_flops_per_pair = 4 * width * config.heads;  // q * k and p * v
  cost.window = config.sliding_window;
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
