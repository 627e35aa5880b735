// ModelCost: what one step of a model must at least read and compute, counted from the weights as
// the file states them (packing may take more, and then counts against us), and the least time that
// a machine of a given roofline needs for it. The formulas:
//   decode   max(weights / bandwidth, 2 * elements * rows / compute) + KV and states / bandwidth
//   prefill  max(weights / bandwidth, 2 * elements * tokens / compute + attention / compute)
// of which experts count as far as `rows` tokens that choose alike often are expected to need them,
// where compute is the measured peak of the arithmetic that a weight's type uses, and the head
// counts once per wanted logits row. Plain values; used by lab/bench.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "kernels/kernel_table.h"
#include "lab/roofline.h"
#include "model/architecture.h"

namespace quire {

// Of the layers of one KV group.
struct AttentionCost {
  double bytes_per_token = 0;  // K and V
  double flops_per_pair = 0;   // per (query token, key token), all heads
  int window = 0;              // keys that a token sees at most; 0: all
};

struct ModelCost {
  // Elements of matrices that one token is multiplied with, by arithmetic.  [ActivationForm]
  std::array<double, kActivationForms> body_elements{};
  std::array<double, kActivationForms> head_elements{};
  double weight_bytes = 0;  // read by every step: all but tables and experts
  double expert_bytes = 0;  // of all experts
  double expert_share = 0;  // of them that one token reads
  double state_bytes = 0;   // read and written for each row of a step
  std::vector<AttentionCost> attention;

  double elements() const;  // body and head
  double kv_bytes_per_token() const;  // of all groups
  // KV and states that a row reads whose token has so many positions before it, itself included.
  double memory_bytes(double context) const;
  double weight_bytes_of(double rows) const;  // that a step of so many tokens is expected to read
};

// With kW8A8 the layers count as the int8 weights that they become.
Result<ModelCost> count_model_cost(const Design& design, const TensorFinder& find,
                                   KvTypes kv_dtype,
                                   WeightScheme weights = WeightScheme::kAsStored);

// The least seconds, and what they are spent on.
struct StepLimit {
  double seconds = 0;
  bool is_memory_bound = false;
};
StepLimit decode_limit(const ModelCost& cost, const Roofline& roofline, int rows, double context);
StepLimit prefill_limit(const ModelCost& cost, const Roofline& roofline, int tokens);

}  // namespace quire
