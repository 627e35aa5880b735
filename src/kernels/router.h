// Which experts a token goes to, and with what weight (mixture of experts): scores of the router's
// logits, the best ones, renormalised and scaled. Ties go to the smaller expert. One token per
// call; its choice depends on its logits alone, and is the same with every KernelTable. Any thread.
// Backends call it after the router's product; the order is that in which the experts' outputs are
// summed.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel_table.h"

namespace quire {

struct RouterSpec {
  int experts = 0;
  int top_k = 0;
  bool is_sigmoid = false;  // scores are sigmoids of the logits; else their softmax
  // > 0: one after the other the best of what is left is chosen, and weighed by a softmax over
  // those left whose logit is short of it by no more than this share of the larger magnitude
  // (Liu et al., "GRIN", 2024). Nothing below applies.
  float sparse_margin = 0;
  // Experts are chosen by score + correction, and weighted by score.
  const float* correction = nullptr;  // [experts] or null
  // With groups > 1 only the experts of the `groups_kept` best of so many equal groups are chosen
  // from. A group counts as its best expert, or as the sum of its best two.
  int groups = 1;
  int groups_kept = 1;
  bool is_group_by_two = false;
  bool is_renormalised = false;  // weights are divided by their sum
  float scale = 1;               // of the weights
  const float* expert_scale = nullptr;  // [experts] of each expert's, at last; or null
};

struct RoutedExpert {
  std::int32_t expert;
  float weight;
};

inline constexpr int kRouterGroupsMax = 64;
constexpr int route_scratch_floats(int experts) { return 2 * experts; }

// REQUIRES: 1 <= top_k <= experts that remain; logits: [experts]; scratch: route_scratch_floats;
// chosen: [top_k], best first. A logit that is not a number makes a weight that is not, never an
// expert that is not.
void route(const KernelTable& kernels, const RouterSpec& spec, const float* logits, float* scratch,
           std::span<RoutedExpert> chosen);

}  // namespace quire
