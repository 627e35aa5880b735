// What is made of pooled rows, in numbers that one can check by hand.
#include "serve/answer/vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(VectorsTest, LengthOneAndCosine) {
  std::vector<float> vector = {3, 4};
  normalise(vector);
  EXPECT_THAT(vector, ElementsAre(0.6f, 0.8f));
  std::vector<float> zeros = {0, 0};
  normalise(zeros);
  EXPECT_THAT(zeros, ElementsAre(0, 0));
  EXPECT_FLOAT_EQ(cosine(std::vector<float>{3, 4}, std::vector<float>{6, 8}), 1);
  EXPECT_FLOAT_EQ(cosine(std::vector<float>{1, 0}, std::vector<float>{0, 2}), 0);
  EXPECT_EQ(cosine(zeros, vector), 0);
}

TEST(VectorsTest, ScoresBecomeWhatTheirModelMeans) {
  const auto made = [](std::vector<float> scores, const char* problem) {
    PooledInfo info;
    info.words.problem = problem;
    make_probabilities(info, scores);
    return scores;
  };
  const auto tell = [](float x) { return FloatEq(x); };
  EXPECT_THAT(made({0, std::log(3.0f)}, ""), ElementsAre(tell(0.25f), tell(0.75f)));
  EXPECT_THAT(made({1000, 1000}, ""), ElementsAre(tell(0.5f), tell(0.5f)));
  EXPECT_THAT(made({0, std::log(3.0f)}, "multi_label_classification"),
              ElementsAre(tell(0.5f), tell(0.75f)));
  EXPECT_THAT(made({0}, ""), ElementsAre(tell(0.5f)));
  EXPECT_THAT(made({-7, 2}, "regression"), ElementsAre(-7, 2));
}

TEST(VectorsTest, APairIsScoredAsItsFilesAsk) {
  PooledInfo info;
  EXPECT_FLOAT_EQ(pair_score(info, 0), 0.5f);
  info.words.activation = "torch.nn.modules.linear.Identity";
  EXPECT_FLOAT_EQ(pair_score(info, -3), -3);
}

}  // namespace
}  // namespace quire
