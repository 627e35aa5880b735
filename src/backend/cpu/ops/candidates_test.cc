// The best candidates of a row of logits and its log-sum-exp, on every instruction set, against
// sorting and the oracle: ties, NaN, more candidates than a heap holds.
#include "backend/cpu/ops/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/reference.h"
#include "kernels/select.h"

namespace quire {
namespace {

class CandidatesTest : public ::testing::TestWithParam<const KernelTable*> {};
INSTANTIATE_TEST_SUITE_P(Isa, CandidatesTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

std::vector<float> normal(std::mt19937& engine, std::size_t count, float scale) {
  std::normal_distribution<float> distribution(0, scale);
  std::vector<float> x(count);
  for (float& value : x) value = distribution(engine);
  return x;
}

TEST_P(CandidatesTest, TopCandidatesAndLogsumexp) {
  const KernelTable& kernels = *GetParam();
  std::mt19937 engine(9);
  for (std::size_t vocab : {1u, 7u, 512u, 50000u}) {
    std::vector<float> logits = normal(engine, vocab, 3);
    for (float& logit : logits) logit = std::round(logit * 50) / 50;  // many ties
    if (vocab > 100) logits[50] = std::numeric_limits<float>::quiet_NaN();
    std::vector<Candidate> expected;
    for (std::size_t i = 0; i < vocab; ++i) {
      if (!std::isnan(logits[i])) expected.push_back({static_cast<std::int32_t>(i), logits[i]});
    }
    std::stable_sort(expected.begin(), expected.end(),
                     [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
    for (std::size_t count : {std::size_t{1}, std::min<std::size_t>(64, vocab)}) {
      std::vector<Candidate> top(count);
      top_candidates(kernels, logits, top);
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(top[i].token, expected[i].token) << vocab << " " << i;
        EXPECT_EQ(top[i].logit, expected[i].logit);
      }
    }
    if (vocab > 100) {
      EXPECT_TRUE(std::isnan(logsumexp(kernels, logits)));
      logits[50] = 0;
    }
    EXPECT_NEAR(logsumexp(kernels, logits), reference::logsumexp(logits), 1e-6);
  }
  std::vector<float> nothing(20, std::numeric_limits<float>::quiet_NaN());
  std::vector<Candidate> top(3);
  top_candidates(kernels, nothing, top);
  EXPECT_EQ(top[0].token, 0);
  EXPECT_EQ(top[2].token, 2);
}

TEST_P(CandidatesTest, TopCandidatesOfAllAreSortedStably) {
  const KernelTable& kernels = *GetParam();
  std::mt19937 engine(10);
  std::vector<float> logits = normal(engine, 20000, 2);
  for (float& logit : logits) logit = std::round(logit * 20) / 20;  // ties, zeros of both signs
  const float never = -std::numeric_limits<float>::infinity();
  for (const int token : {3, 4000, 19999}) logits[token] = never;
  logits[77] = std::numeric_limits<float>::quiet_NaN();
  std::vector<std::int32_t> expected(logits.size());
  std::iota(expected.begin(), expected.end(), 0);
  const auto rank = [&](std::int32_t t) { return std::isnan(logits[t]) ? never : logits[t]; };
  std::stable_sort(expected.begin(), expected.end(),
                   [&](std::int32_t a, std::int32_t b) { return rank(a) > rank(b); });
  for (const std::size_t count : {std::size_t{5000}, logits.size()}) {
    std::vector<Candidate> top(count);
    top_candidates(kernels, logits, top);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(top[i].token, expected[i]) << i;
  }
}

}  // namespace
}  // namespace quire
