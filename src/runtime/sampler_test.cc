#include "runtime/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "backend/noise.h"
#include "backend/testing/one_op.h"

namespace quire {
namespace {

class SamplerTest : public ::testing::Test {
 protected:
  SamplerTest() : backend_(std::move(make_cpu_backend({.threads = 1})).value()) {}

  Sampler::Outcome sample(const SamplingParams& params, std::span<const float> logits,
                          std::uint32_t position = 7, std::span<const TokenId> history = {},
                          std::uint32_t prompt_count = 0, std::uint64_t branch = 0) {
    SampleRow row;
    row.params = &params;
    row.position = position;
    row.history = history;
    row.prompt_count = prompt_count;
    row.stream = branch;
    row.logprobs = params.logprobs;
    return sample_row(row, logits);
  }
  Sampler::Outcome sample_row(const SampleRow& row, std::span<const float> logits) {
    const Buffer buffer = backend_->buffer(Rows::kWanted, 1, static_cast<int>(logits.size()));
    testing::fill(buffer, logits);
    return Sampler(*backend_).sample({&row, 1}, buffer).at(0);
  }

  std::unique_ptr<Backend> backend_;
};

std::vector<float> random_logits(std::mt19937& rng, int vocab, float spread) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(vocab);
  for (float& logit : logits) logit = normal(rng);
  return logits;
}

// Those whose surprise is nearest to the entropy, until they have so much of the mass.
void keep_typical(double typical_p, std::vector<double>& weight) {
  double entropy = 0;
  for (const double w : weight) entropy -= w > 0 ? w * std::log(w) : 0;
  std::vector<std::size_t> order(weight.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto distance = [&](std::size_t t) {
    return weight[t] > 0 ? std::abs(-std::log(weight[t]) - entropy)
                         : std::numeric_limits<double>::infinity();
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return distance(a) < distance(b); });
  double mass = 0;
  for (const std::size_t t : order) {
    const double own = weight[t];
    if (mass >= typical_p) weight[t] = 0;
    mass += own;
  }
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  for (double& w : weight) w /= total;
}

// The plain twin: probabilities of every token by the book, everything sorted.
std::vector<double> twin_probabilities(const SamplingParams& p, std::vector<float> logits) {
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return logits[a] > logits[b]; });
  std::vector<double> weight(logits.size(), 0);
  const double largest = logits[order[0]];
  for (int t : order) weight[t] = std::exp((logits[t] - largest) / double{p.temperature});
  for (int t : order) {
    if (weight[t] < p.min_p) weight[t] = 0;
  }
  if (p.top_k > 0) {
    for (std::size_t i = p.top_k; i < order.size(); ++i) weight[order[i]] = 0;
  }
  double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  double mass = 0;
  for (int t : order) {
    if (mass >= p.top_p * total) weight[t] = 0;
    mass += weight[t];
  }
  total = std::accumulate(weight.begin(), weight.end(), 0.0);
  for (double& w : weight) w /= total;
  if (p.typical_p < 1) keep_typical(p.typical_p, weight);
  return weight;
}

TEST_F(SamplerTest, GreedyTakesTheLargestAndTheSmallerIdOfEquals) {
  const std::vector<float> logits = {1, 5, 3, 5};
  SamplingParams params;
  params.temperature = 0;
  EXPECT_EQ(sample(params, logits).token, 1);
}

TEST_F(SamplerTest, EveryFilterDrawsWhatItsTwinAllowsAtTheRightFrequency) {
  std::mt19937 rng(1);
  struct Case { float temperature; int top_k; float top_p; float min_p; float typical_p = 1; };
  for (const Case& c : {Case{1, 0, 1, 0}, Case{0.7f, 5, 1, 0}, Case{1.3f, 0, 0.8f, 0},
                        Case{1, 0, 1, 0.1f}, Case{0.9f, 12, 0.9f, 0.02f},
                        Case{1, 0, 0.95f, 0.05f}, Case{1, 0, 1, 0, 0.5f},
                        Case{0.8f, 20, 0.95f, 0, 0.3f}}) {
    const std::vector<float> logits = random_logits(rng, 40, 1.5f);
    SamplingParams params;
    params.temperature = c.temperature;
    params.top_k = c.top_k;
    params.top_p = c.top_p;
    params.min_p = c.min_p;
    params.typical_p = c.typical_p;
    params.seed = 99;
    const std::vector<double> expected = twin_probabilities(params, logits);
    constexpr int kDraws = 20000;
    std::vector<int> count(logits.size(), 0);
    for (int i = 0; i < kDraws; ++i) ++count[sample(params, logits, i).token];
    double chi_square = 0;
    int cells = 0;
    for (std::size_t t = 0; t < logits.size(); ++t) {
      if (expected[t] == 0) {
        EXPECT_EQ(count[t], 0) << "token " << t << " is filtered";
        continue;
      }
      const double mean = expected[t] * kDraws;
      if (mean < 5) continue;
      chi_square += (count[t] - mean) * (count[t] - mean) / mean;
      ++cells;
    }
    // Seeded, so this never flickers: six standard deviations of the chi-square distribution.
    EXPECT_LT(chi_square, cells + 6 * std::sqrt(2.0 * cells));
  }
}

TEST_F(SamplerTest, ANucleusWiderThanTheFirstCandidatesIsExact) {
  std::vector<float> logits(5000, 0.0f);  // uniform: the nucleus of 0.9 has 4,500 tokens
  SamplingParams params;
  params.top_p = 0.9f;
  params.seed = 3;
  TokenId largest = 0;
  for (int i = 0; i < 2000; ++i) largest = std::max(largest, sample(params, logits, i).token);
  EXPECT_GT(largest, 4400);
  EXPECT_LE(largest, 4500);
}

// One token of 0.3, then 7,000 of 0.0001: the entropy is nearer to the surprise of the many.
TEST_F(SamplerTest, TheLikeliestNeedNotBeTypical) {
  std::vector<float> logits(7001, std::log(0.0001f));
  logits[17] = std::log(0.3f);
  SamplingParams params;
  params.typical_p = 0.45f;
  params.seed = 3;
  TokenId largest = 0;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const TokenId token = sample(params, logits, i).token;
    EXPECT_NE(token, 17);
    largest = std::max(largest, token);
  }
  EXPECT_LE(largest, 4501) << "the first of equals, until they have their share";
  EXPECT_GT(largest, 4300);
}

TEST_F(SamplerTest, PruningByTheLargestNoiseChangesNoDraw) {
  std::mt19937 rng(5);
  const std::vector<float> logits = random_logits(rng, 3000, 6);
  SamplingParams params;
  for (std::uint32_t position = 0; position < 200; ++position) {
    params.seed = position * 31;
    GumbelNoise noise(params.seed, position, 2);
    TokenId best = 0;
    double best_score = -std::numeric_limits<double>::infinity();
    for (TokenId t = 0; t < 3000; ++t) {
      const double score = logits[t] + noise(t);
      if (score > best_score) best = t, best_score = score;
    }
    EXPECT_EQ(sample(params, logits, position, {}, 0, 2).token, best);
  }
}

// The plain twin of a draw from wide candidates: every score, by the book.
TEST_F(SamplerTest, ADrawFromManyIsTheLargestOfAllScores) {
  std::mt19937 rng(6);
  for (const float spread : {0.05f, 0.5f, 3.0f, 9.0f}) {
    std::vector<float> logits = random_logits(rng, 20011, spread);
    for (float& logit : logits) logit = std::round(logit * 64) / 64;  // ties at the border
    for (const float min_p : {0.0f, 0.02f}) {
      SamplingParams params;
      params.temperature = 0.7f;
      params.min_p = min_p;
      const float largest = *std::max_element(logits.begin(), logits.end());
      const double floor = largest + double{params.temperature} * std::log(double{min_p});
      for (std::uint32_t position = 0; position < 60; ++position) {
        params.seed = position * 977;
        GumbelNoise noise(params.seed, position, 1);
        TokenId best = -1;
        double best_score = -std::numeric_limits<double>::infinity();
        for (TokenId t = 0; t < 20011; ++t) {
          if (min_p > 0 && logits[t] < floor) continue;
          const double score = logits[t] / double{params.temperature} + noise(t);
          if (score > best_score) best = t, best_score = score;
        }
        EXPECT_EQ(sample(params, logits, position, {}, 0, 1).token, best) << spread;
      }
    }
  }
}

TEST(NoiseTest, NoSmallerWordReachesWhatIsWanted) {
  for (double wanted = -3; wanted < kGumbelMax; wanted += 0.01) {
    const std::uint32_t least = least_word_of(wanted);
    if (least > 0) {
      EXPECT_LT(gumbel_of(least - 1), wanted);
    }
  }
  EXPECT_EQ(least_word_of(0), 0u);
  EXPECT_GT(least_word_of(5), 0.99 * 0x1p32);
}

TEST_F(SamplerTest, BranchesAndPositionsDrawTheirOwnNoise) {
  const std::vector<float> logits(1000, 0.0f);
  SamplingParams params;
  params.seed = 11;
  EXPECT_NE(sample(params, logits, 1).token, sample(params, logits, 2).token);
  EXPECT_NE(sample(params, logits, 1, {}, 0, 0).token, sample(params, logits, 1, {}, 0, 1).token);
  EXPECT_EQ(sample(params, logits, 1).token, sample(params, logits, 1).token);
}

TEST_F(SamplerTest, PenaltiesCountTheRightTokens) {
  const std::vector<TokenId> history = {0, 1, 1, 2};  // prompt: 0 1; generated: 1 2
  SamplingParams params;
  params.temperature = 0;
  params.repetition_penalty = 2;
  EXPECT_EQ(sample(params, std::vector<float>{4, -1, 3, 2.5f}, 4, history, 2).token, 3)
      << "4/2, -1*2, 3/2 leave 2.5";
  params.repetition_penalty = 1;
  params.frequency_penalty = 1;
  EXPECT_EQ(sample(params, std::vector<float>{2, 2.5f, 2, 1}, 4, history, 2).token, 0)
      << "the prompt does not count: 1 falls to 1.5 and 2 to 1";
  params.frequency_penalty = 0;
  params.presence_penalty = 0.6f;
  EXPECT_EQ(sample(params, std::vector<float>{2, 2.5f, 2, 1}, 4, history, 2).token, 0);
}

TEST_F(SamplerTest, BiasBansAndMasksDecideBeforeTheDraw) {
  SamplingParams params;
  params.temperature = 0;
  params.logit_bias = {{2, 100}};
  const std::vector<float> logits = {3, 2, 1, 0};
  EXPECT_EQ(sample(params, logits).token, 2);

  SampleRow row;
  row.params = &params;
  const std::vector<TokenId> banned = {2, 0};
  row.banned = banned;
  EXPECT_EQ(sample_row(row, logits).token, 1);
  const std::uint32_t mask = 0b1000;
  row.mask = {&mask, 1};
  EXPECT_EQ(sample_row(row, logits).token, 3);
  const std::uint32_t nothing = 0;
  row.mask = {&nothing, 1};
  EXPECT_EQ(sample_row(row, logits).outcome, RowOutcome::kNothingAllowed);
  row.is_discarded = true;
  EXPECT_EQ(sample_row(row, logits).token, -1);
}

TEST_F(SamplerTest, EveryRowIsDrawnFromItsOwnLogits) {
  constexpr int kRows = 9, kVocab = 50;
  std::mt19937 rng(12);
  const std::vector<float> logits = random_logits(rng, kRows * kVocab, 2);
  std::vector<SamplingParams> params(kRows);
  std::vector<SampleRow> rows(kRows);
  for (int i = 0; i < kRows; ++i) {
    params[i].seed = 100 + i;
    if (i % 3 > 0) params[i].logit_bias = {{i, 4}};
    if (i % 3 > 1) params[i].logit_bias.push_back({i + 1, -4});
    rows[i].params = &params[i];
    rows[i].logprobs = i % 2 - 1;
    rows[i].is_discarded = i % 4 == 2;
  }
  const Buffer buffer = backend_->buffer(Rows::kWanted, kRows, kVocab);
  testing::fill(buffer, logits);
  const auto outcomes = Sampler(*backend_).sample(rows, buffer);
  ASSERT_EQ(outcomes.size(), rows.size());
  for (int i = 0; i < kRows; ++i) {
    const Sampler::Outcome alone =
        sample_row(rows[i], std::span(logits).subspan(i * kVocab, kVocab));
    EXPECT_EQ(outcomes[i].token, alone.token) << i;
    EXPECT_EQ(outcomes[i].token < 0, rows[i].is_discarded) << i;
    EXPECT_EQ(outcomes[i].is_scored, !rows[i].is_discarded && rows[i].logprobs >= 0) << i;
    EXPECT_EQ(outcomes[i].score.logprob, alone.score.logprob) << i;
  }
}

TEST_F(SamplerTest, LogprobsAreOfTheRawLogits) {
  const std::vector<float> logits = {1, 2, 3, 0};
  SamplingParams params;
  params.temperature = 0;
  params.logprobs = 2;
  params.logit_bias = {{0, 50}};
  const auto outcome = sample(params, logits);
  EXPECT_EQ(outcome.token, 0);
  const double total = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0) + 1);
  ASSERT_TRUE(outcome.is_scored);
  EXPECT_NEAR(outcome.score.logprob, 1 - total, 1e-6);
  EXPECT_EQ(outcome.score.rank, 3);
  ASSERT_EQ(outcome.score.top.size(), 2u);
  EXPECT_EQ(outcome.score.top[0].token, 2);
  EXPECT_NEAR(outcome.score.top[0].logprob, 3 - total, 1e-6);
  EXPECT_EQ(outcome.score.top[1].token, 1);
}

TEST_F(SamplerTest, LogprobsAreOfTheTokensThatAreNamed) {
  const std::vector<float> logits = {1, 2, 3, 0};
  SamplingParams params;
  params.temperature = 0;
  params.logprobs = 2;
  params.logprob_ids = {3, 0};
  const auto outcome = sample(params, logits);
  const double total = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0) + 1);
  EXPECT_EQ(outcome.token, 2);
  ASSERT_EQ(outcome.score.top.size(), 2u) << "the named ones, in their order";
  EXPECT_EQ(outcome.score.top[0].token, 3);
  EXPECT_NEAR(outcome.score.top[0].logprob, 0 - total, 1e-6);
  EXPECT_EQ(outcome.score.top[1].token, 0);
  EXPECT_NEAR(outcome.score.top[1].logprob, 1 - total, 1e-6);

  SampleRow of_prompt{.position = 7, .target = 1, .logprobs = 1, .params = &params};
  const auto scored = sample_row(of_prompt, logits);
  ASSERT_EQ(scored.score.top.size(), 1u) << "of a prompt the likeliest";
  EXPECT_EQ(scored.score.top[0].token, 2);
}

TEST_F(SamplerTest, ANonFiniteLogitIsReportedAndNeverDrawn) {
  SamplingParams params;
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> logits = {1, bad, 2};
    EXPECT_EQ(sample(params, logits).outcome, RowOutcome::kNonFinite);
  }
}

}  // namespace
}  // namespace quire
