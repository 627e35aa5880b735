// ModelCost: what one step of a model must at least read and compute, counted from the weights as
// the file states them (packing may take more, and then counts against us), and the least time that
// a machine of a given roofline needs for it. The formulas:
//   decode   max(weights / bandwidth, 2 * elements * rows / compute) + KV bytes / bandwidth
//   prefill  max(weights / bandwidth, 2 * elements * tokens / compute + attention / compute)
// where compute is the measured peak of the arithmetic that a weight's type uses, and the head
// counts once per wanted logits row. Plain values; used by lab/bench.
#pragma once

#include <array>
#include <cstddef>

#include "kernels/kernel_table.h"
#include "lab/roofline.h"
#include "model/architecture.h"

namespace quire {

struct ModelCost {
  // Elements of matrices by the arithmetic of their products.  [ActivationForm]
  std::array<double, kActivationForms> body_elements{};
  std::array<double, kActivationForms> head_elements{};
  double weight_bytes = 0;              // read by every step: all but an untied embedding
  double kv_bytes_per_token = 0;        // K and V of all layers
  double attention_flops_per_pair = 0;  // per (query token, key token), all layers and heads
  int window = 0;                       // keys that a token sees at most; 0: all

  double elements() const;  // body and head
};

// With kW8A8 the layers count as the int8 weights that they become.
Result<ModelCost> count_model_cost(const Design& design, const TensorFinder& find,
                                   DType kv_dtype,
                                   WeightScheme weights = WeightScheme::kAsStored);

// The least seconds, and what they are spent on.
struct StepLimit {
  double seconds = 0;
  bool is_memory_bound = false;
};
StepLimit decode_limit(const ModelCost& cost, const Roofline& roofline, int rows, double context);
StepLimit prefill_limit(const ModelCost& cost, const Roofline& roofline, int tokens);

}  // namespace quire
