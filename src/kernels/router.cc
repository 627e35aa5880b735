#include "kernels/router.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace quire {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Keeps the best of what is offered in order of ids: the largest first, of equals the earliest.
class Best {
 public:
  explicit Best(std::span<RoutedExpert> places) : places_(places) {}

  void offer(std::int32_t id, float score) {
    if (!(score > kNever)) score = kNever;  // NaN is the least of all
    std::size_t at = count_;
    if (count_ == places_.size()) {
      if (!(score > places_[count_ - 1].weight)) return;
      --at;
    } else {
      ++count_;
    }
    for (; at > 0 && score > places_[at - 1].weight; --at) places_[at] = places_[at - 1];
    places_[at] = {id, score};
  }

 private:
  std::span<RoutedExpert> places_;
  std::size_t count_ = 0;
};

// Leaves the choice of the experts to the best groups: the others' scores become kNever.
void drop_groups(const RouterSpec& spec, float* choice) {
  const int size = spec.experts / spec.groups;
  RoutedExpert kept[kRouterGroupsMax];
  Best best({kept, static_cast<std::size_t>(spec.groups_kept)});
  for (int group = 0; group < spec.groups; ++group) {
    float first = kNever, second = kNever;
    for (int i = group * size; i < (group + 1) * size; ++i) {
      if (choice[i] > first) {
        second = first;
        first = choice[i];
      } else if (choice[i] > second) {
        second = choice[i];
      }
    }
    best.offer(group, spec.is_group_by_two && size > 1 ? first + second : first);
  }
  bool is_kept[kRouterGroupsMax] = {};
  for (int i = 0; i < spec.groups_kept; ++i) is_kept[kept[i].expert] = true;
  for (int i = 0; i < spec.experts; ++i) {
    if (!is_kept[i / size]) choice[i] = kNever;
  }
}

void choose_sparsely(const KernelTable& kernels, const RouterSpec& spec, const float* logits,
                     float* scratch, std::span<RoutedExpert> chosen) {
  constexpr float kGone = -1e30f;  // its exponential is zero
  float* left = scratch;
  float* near = scratch + spec.experts;
  std::copy_n(logits, spec.experts, left);
  for (RoutedExpert& place : chosen) {
    const auto best = static_cast<int>(std::max_element(left, left + spec.experts) - left);
    const float top = left[best];
    for (int i = 0; i < spec.experts; ++i) {
      const float size = std::max(std::abs(logits[i]), top);
      near[i] = (top - logits[i]) / size > spec.sparse_margin ? kGone : left[i];
    }
    kernels.softmax(near, spec.experts, near);
    place = {best, near[best]};
    left[best] = kGone;
  }
}

}  // namespace

void route(const KernelTable& kernels, const RouterSpec& spec, const float* logits, float* scratch,
           std::span<RoutedExpert> chosen) {
  QUIRE_CHECK(spec.top_k > 0 && chosen.size() == static_cast<std::size_t>(spec.top_k) &&
                  spec.groups > 0 && spec.groups <= kRouterGroupsMax &&
                  spec.experts % spec.groups == 0 && spec.groups_kept <= spec.groups &&
                  spec.top_k <= spec.experts / spec.groups * spec.groups_kept,
              "{} of {} experts into {} places, {} of {} groups", spec.top_k, spec.experts,
              chosen.size(), spec.groups_kept, spec.groups);
  if (spec.sparse_margin > 0) return choose_sparsely(kernels, spec, logits, scratch, chosen);
  float* scores = scratch;
  float* choice = scratch + spec.experts;
  if (spec.is_sigmoid) {
    kernels.act(Activation::kSigmoid, logits, spec.experts, scores);
  } else {
    kernels.softmax(logits, spec.experts, scores);
  }
  for (int i = 0; i < spec.experts; ++i) {
    choice[i] = spec.correction == nullptr ? scores[i] : scores[i] + spec.correction[i];
  }
  if (spec.groups_kept < spec.groups) drop_groups(spec, choice);
  Best best(chosen);
  for (int i = 0; i < spec.experts; ++i) best.offer(i, choice[i]);
  float sum = 0;
  for (RoutedExpert& place : chosen) {
    QUIRE_CHECK(place.expert >= 0 && place.expert < spec.experts, "expert {} of {}", place.expert,
                spec.experts);
    place.weight = scores[place.expert];
    sum += place.weight;
  }
  for (RoutedExpert& place : chosen) {
    // As in the models' own code, a sum of zero is no error.
    if (spec.is_renormalised) place.weight /= sum + 1e-20f;
    place.weight *= spec.scale;
    if (spec.expert_scale != nullptr) place.weight *= spec.expert_scale[place.expert];
  }
}

}  // namespace quire
