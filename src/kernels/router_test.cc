#include "kernels/router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/kernels_for_tests.h"

namespace quire {
namespace {

using testing::Random;

class RouterTest : public testing::KernelTest {
 protected:
  std::vector<RoutedExpert> choose(const RouterSpec& spec, const std::vector<float>& logits) const {
    std::vector<float> scratch(static_cast<std::size_t>(route_scratch_floats(spec.experts)));
    std::vector<RoutedExpert> chosen(static_cast<std::size_t>(spec.top_k));
    route(kernels(), spec, logits.data(), scratch.data(), chosen);
    return chosen;
  }
};

// The plain twin: groups by full sorts, a stable order of experts.  scores: the kernels'
std::vector<std::pair<int, double>> expected_of(const RouterSpec& spec,
                                                const std::vector<float>& scores) {
  const auto n = scores.size();
  std::vector<float> choice = scores;
  for (std::size_t i = 0; spec.correction != nullptr && i < n; ++i) choice[i] += spec.correction[i];
  const std::size_t size = n / static_cast<std::size_t>(spec.groups);
  std::vector<std::pair<float, std::size_t>> groups;
  for (std::size_t g = 0; g < static_cast<std::size_t>(spec.groups); ++g) {
    std::vector<float> own(choice.begin() + static_cast<std::ptrdiff_t>(g * size),
                            choice.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
    std::sort(own.rbegin(), own.rend());
    groups.push_back({-(spec.is_group_by_two ? own[0] + own[1] : own[0]), g});
  }
  std::sort(groups.begin(), groups.end());
  std::vector<std::pair<float, int>> order;
  for (int i = 0; i < spec.groups_kept; ++i) {
    const std::size_t first = groups[static_cast<std::size_t>(i)].second * size;
    for (std::size_t e = first; e < first + size; ++e) order.push_back({-choice[e], int(e)});
  }
  std::sort(order.begin(), order.end());
  std::vector<std::pair<int, double>> chosen;
  double sum = 0;
  for (int i = 0; i < spec.top_k; ++i) {
    const int expert = order[static_cast<std::size_t>(i)].second;
    chosen.push_back({expert, double{scores[static_cast<std::size_t>(expert)]}});
    sum += chosen.back().second;
  }
  for (auto& [expert, weight] : chosen) {
    weight *= spec.scale / (spec.is_renormalised ? sum : 1);
  }
  return chosen;
}

TEST_P(RouterTest, EqualsThePlainTwin) {
  Random random(3);
  for (int experts : {4, 8, 64, 160, 256}) {
    const std::vector<float> correction = random.normal(static_cast<std::size_t>(experts), 0.1f);
    for (int kind = 0; kind < 32; ++kind) {
      RouterSpec spec{experts, std::min(experts / 4, 8)};
      spec.is_sigmoid = (kind & 1) != 0;
      if ((kind & 2) != 0) spec.correction = correction.data();
      spec.groups = (kind & 4) != 0 ? std::min(8, experts / 2) : 1;
      spec.groups_kept = (spec.groups + 1) / 2;
      spec.is_group_by_two = (kind & 8) != 0;
      spec.is_renormalised = (kind & 16) != 0;
      spec.scale = 2.5f;
      for (int token = 0; token < 20; ++token) {
        const std::vector<float> logits = random.normal(static_cast<std::size_t>(experts), 2);
        const auto chosen = choose(spec, logits);
        std::vector<float> scores(logits.size());
        if (spec.is_sigmoid) {
          kernels().act(Activation::kSigmoid, logits.data(), experts, scores.data());
        } else {
          kernels().softmax(logits.data(), experts, scores.data());
        }
        const auto expected = expected_of(spec, scores);
        for (std::size_t i = 0; i < chosen.size(); ++i) {
          ASSERT_EQ(chosen[i].expert, expected[i].first) << experts << " experts, kind " << kind;
          ASSERT_NEAR(chosen[i].weight, expected[i].second, 1e-6 * expected[i].second);
        }
      }
    }
  }
}

TEST_P(RouterTest, TiesGoToTheSmallerExpert) {
  RouterSpec spec{6, 3};
  const auto chosen = choose(spec, {1, 2, 2, 0, 2, 1});
  EXPECT_EQ(chosen[0].expert, 1);
  EXPECT_EQ(chosen[1].expert, 2);
  EXPECT_EQ(chosen[2].expert, 4);
  spec.top_k = 5;
  EXPECT_EQ(choose(spec, {1, 2, 2, 0, 2, 1})[3].expert, 0);
  spec.groups = 3;
  spec.groups_kept = 1;
  spec.top_k = 1;
  EXPECT_EQ(choose(spec, {1, 1, 1, 1, 1, 1})[0].expert, 0);
}

TEST_P(RouterTest, WhatIsNotANumberChoosesExpertsThatExist) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (bool is_sigmoid : {false, true}) {
    for (int groups : {1, 4}) {
      RouterSpec spec{8, 4};
      spec.is_sigmoid = is_sigmoid;
      spec.groups = groups;
      spec.groups_kept = groups == 1 ? 1 : 2;
      spec.is_group_by_two = true;
      const auto chosen = choose(spec, std::vector<float>(8, nan));
      std::vector<int> ids;
      for (const RoutedExpert& place : chosen) {
        ids.push_back(place.expert);
        EXPECT_TRUE(std::isnan(place.weight));
      }
      EXPECT_EQ(ids, (std::vector<int>{0, 1, 2, 3}));
    }
  }
}

TEST_P(RouterTest, EveryTableChoosesAlike) {
  Random random(9);
  const RouterSpec spec{.experts = 128, .top_k = 8, .is_renormalised = true};
  for (int token = 0; token < 50; ++token) {
    const std::vector<float> logits = random.normal(128);
    const auto chosen = choose(spec, logits);
    std::vector<float> scratch(256);
    std::vector<RoutedExpert> portable(8);
    route(kScalarKernels, spec, logits.data(), scratch.data(), portable);
    for (std::size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(chosen[i].expert, portable[i].expert);
      EXPECT_EQ(chosen[i].weight, portable[i].weight);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, RouterTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
