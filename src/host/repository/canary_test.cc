// The decision about a new version, told outcome by outcome.
#include "host/repository/canary.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace quire {
namespace {

CanaryPlan plan(std::vector<std::uint32_t> steps = {10, 100}, std::uint32_t requests = 20) {
  CanaryPlan plan;
  plan.version = 2;
  plan.steps = std::move(steps);
  plan.requests = requests;
  plan.bounds = {.errors = 0.1, .latency = 1.5, .divergence = 0.2};
  return plan;
}

void answer(Canary& canary, int count, Canary::Outcome outcome = {false, 1, 1}) {
  for (int i = 0; i < count; ++i) {
    canary.began();
    canary.ended(outcome);
  }
}

TEST(CanaryTest, AGoodOneGoesThroughAllStepsAndWins) {
  Canary canary(plan({5, 25, 100}));
  canary.ended_stable({false, 10, 10});
  EXPECT_EQ(canary.percent(), 5u);
  answer(canary, 20);
  EXPECT_EQ(canary.percent(), 25u);
  answer(canary, 20);
  EXPECT_EQ(canary.percent(), 100u);
  answer(canary, 19);
  EXPECT_EQ(canary.state(), Canary::State::kRunning);
  answer(canary, 1);
  EXPECT_EQ(canary.state(), Canary::State::kPromoted);
  EXPECT_EQ(canary.percent(), 100u);
  EXPECT_EQ(canary.reason(), "60 requests in 3 steps stayed within the bounds");
}

TEST(CanaryTest, InAStepItGetsSoManyRequestsAndNoMore) {
  Canary canary(plan());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(canary.percent(), 10u);
    canary.began();
  }
  EXPECT_EQ(canary.percent(), 0u) << "their outcome is awaited";
  for (int i = 0; i < 20; ++i) canary.ended({false, 1, 1});
  EXPECT_EQ(canary.percent(), 100u);
}

TEST(CanaryTest, TooManyFailuresEndItAtOnce) {
  Canary canary(plan());
  answer(canary, 2, {true, 0, 0});
  EXPECT_EQ(canary.state(), Canary::State::kRunning) << "a tenth may fail";
  answer(canary, 1, {true, 0, 0});
  EXPECT_EQ(canary.state(), Canary::State::kRolledBack);
  EXPECT_EQ(canary.percent(), 0u);
  EXPECT_EQ(canary.reason(), "3 of 3 requests failed, more than 10.0 %");
  answer(canary, 50);
  EXPECT_EQ(canary.percent(), 0u) << "for good";
}

TEST(CanaryTest, OneThatRefusesAllIsRolledBackAndOneThatRefusesSomeGoesOn) {
  Canary all(plan());
  std::uint32_t asked = 0;
  for (; all.percent() > 0; ++asked) {
    all.began();
    all.refused();
  }
  EXPECT_EQ(all.state(), Canary::State::kRolledBack);
  EXPECT_EQ(asked, all.plan().requests);
  EXPECT_NE(all.reason().find("refused"), std::string::npos);
  Canary some(plan());
  for (std::uint32_t i = 0; i + 1 < some.plan().requests; ++i) {
    some.began();
    some.refused();
  }
  for (std::uint32_t i = 0; i < 10 * some.plan().requests; ++i) {
    some.began();
    some.withdrawn();  // it comes again
  }
  EXPECT_EQ(some.state(), Canary::State::kRunning);
  EXPECT_EQ(some.began_in_all(), 0u);
}

TEST(CanaryTest, ASlowOneEndsWithItsStep) {
  Canary canary(plan());
  for (int i = 0; i < 50; ++i) canary.ended_stable({false, 1, 1});
  answer(canary, 19, {false, 2, 1});
  EXPECT_EQ(canary.state(), Canary::State::kRunning);
  answer(canary, 1, {false, 2, 1});
  EXPECT_EQ(canary.state(), Canary::State::kRolledBack);
  EXPECT_EQ(canary.reason(),
            "a token takes it 2.00 times as long as the stable version, more than 1.50");
}

TEST(CanaryTest, ADivergentOneEndsWhenNoGoodEndIsLeft) {
  Canary canary(plan());
  for (int i = 0; i < 5; ++i) {
    canary.began();
    canary.mirrored();
    canary.ended({false, 1, 1});
    canary.compared(false);
    const bool is_over = canary.state() == Canary::State::kRolledBack;
    EXPECT_EQ(is_over, i == 4) << i;
  }
  EXPECT_EQ(canary.reason(), "5 of 5 mirrored requests were answered otherwise, more than 20.0 %");
}

TEST(CanaryTest, AStepWaitsForWhatIsMirrored) {
  Canary canary(plan());
  canary.mirrored();
  canary.mirrored();
  answer(canary, 20);
  EXPECT_EQ(canary.percent(), 0u);
  canary.compared(true);
  EXPECT_EQ(canary.percent(), 0u);
  canary.not_compared();
  EXPECT_EQ(canary.percent(), 100u);
}

TEST(CanaryTest, ARequestWhoseClientHasLeftSaysNothing) {
  Canary canary(plan());
  for (int i = 0; i < 200; ++i) {
    canary.began();
    canary.withdrawn();
  }
  EXPECT_EQ(canary.percent(), 10u);
  answer(canary, 20);
  EXPECT_EQ(canary.percent(), 100u);
  EXPECT_EQ(canary.began_in_all(), 20u);
}

TEST(CanaryTest, OneThatCannotBeComparedIsRolledBack) {
  Canary canary(plan());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(canary.percent(), 10u) << i;
    if (i % 2 == 0) answer(canary, 1);
    canary.began();
    canary.mirrored();
    canary.missed();
    canary.not_compared();
  }
  EXPECT_EQ(canary.state(), Canary::State::kRolledBack);
  EXPECT_EQ(canary.reason(), "20 requests in a step of 20 could not be compared");
}

TEST(TrafficPlanTest, ThePlanIsReadWholeAndMistakesAreNamed) {
  const auto read = [](const char* text) { return read_traffic_plan(*parse_json(text)); };
  const auto canary = read(
      R"({"stable":2,"canary":{"version":3,"steps":[1,100],"requests":7,"mirror_percent":50,)"
      R"("bounds":{"errors":0,"latency":1.25,"divergence":0.5}}})");
  ASSERT_TRUE(canary.is_ok()) << canary.status().message();
  EXPECT_EQ(canary->canary->steps, (std::vector<std::uint32_t>{1, 100}));
  EXPECT_EQ(canary->canary->bounds.latency, 1.25);
  EXPECT_EQ(read(R"({"stable":1,"split":{"1":3,"2":1}})")->split.at(2), 1u);
  EXPECT_EQ(read(R"({"stable":1,"shadow":{"version":2}})")->shadow->percent, 100u);
  for (const char* bad :
       {"[]", "{}", R"({"stable":0})", R"({"stable":"1"})", R"({"stable":1,"x":1})",
        R"({"stable":1,"split":{}})", R"({"stable":1,"split":{"a":1}})",
        R"({"stable":1,"split":{"1":0}})", R"({"stable":1,"split":{"1":-1}})",
        R"({"stable":1,"split":{"01":50,"1":50}})", R"({"stable":1,"split":{"01":50}})",
        R"({"stable":1,"canary":{}})", R"({"stable":1,"canary":{"version":1}})",
        R"({"stable":1,"canary":{"version":2,"steps":[]}})",
        R"({"stable":1,"canary":{"version":2,"steps":[50]}})",
        R"({"stable":1,"canary":{"version":2,"steps":[50,20,100]}})",
        R"({"stable":1,"canary":{"version":2,"requests":0}})",
        R"({"stable":1,"canary":{"version":2,"bounds":{"errors":2}}})",
        R"({"stable":1,"canary":{"version":2,"bounds":{"speed":2}}})",
        R"({"stable":1,"canary":{"version":2},"split":{"1":1}})",
        R"({"stable":1,"canary":{"version":2},"shadow":{"version":3}})",
        R"({"stable":1,"shadow":{"version":1}})", R"({"stable":1,"shadow":{"version":2,"x":1}})"}) {
    EXPECT_EQ(read(bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace quire
