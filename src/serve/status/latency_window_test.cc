#include "serve/status/latency_window.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

constexpr Nanos ms(std::int64_t count) { return std::chrono::milliseconds(count); }
constexpr Nanos s(std::int64_t count) { return std::chrono::seconds(count); }
const Nanos kStart = s(1'000'000);

TEST(LatencyWindow, QuantilesAreRightToTwoAndAHalfPercent) {
  LatencyWindow window;
  for (int i = 1; i <= 1000; ++i) window.add(kStart + ms(i), ms(i));
  const LatencyQuantiles quantiles = window.quantiles(kStart + s(1));
  EXPECT_EQ(quantiles.count, 1000u);
  EXPECT_NEAR(quantiles.p50_ms, 500, 500 * 0.026);
  EXPECT_NEAR(quantiles.p90_ms, 900, 900 * 0.026);
  EXPECT_NEAR(quantiles.p99_ms, 990, 990 * 0.026);
}

TEST(LatencyWindow, AMinuteLaterItIsForgotten) {
  LatencyWindow window;
  window.add(kStart, ms(10));
  window.add(kStart + s(30), ms(20));
  EXPECT_EQ(window.quantiles(kStart + s(54)).count, 2u);
  EXPECT_EQ(window.quantiles(kStart + s(60)).count, 1u);
  EXPECT_EQ(window.quantiles(kStart + s(90)).count, 0u);
  window.add(kStart + s(120), ms(30));  // in the slot of the first
  EXPECT_NEAR(window.quantiles(kStart + s(120)).p99_ms, 30, 1);
}

TEST(LatencyWindow, ExtremesHaveAPlace) {
  LatencyWindow window;
  window.add(kStart, Nanos(0));
  window.add(kStart, s(100'000));
  const LatencyQuantiles quantiles = window.quantiles(kStart);
  EXPECT_EQ(quantiles.count, 2u);
  EXPECT_LT(quantiles.p50_ms, 0.002);
  EXPECT_GT(quantiles.p99_ms, 250'000);
}

TEST(RateWindow, IsTheMeanOfTenSeconds) {
  RateWindow window;
  for (int i = 0; i < 100; ++i) window.add(kStart + ms(100) * i, 5);
  EXPECT_NEAR(window.per_second(kStart + s(10), kStart - s(100)), 50, 0.1);
  EXPECT_NEAR(window.per_second(kStart + s(15), kStart - s(100)), 25, 0.1);
  EXPECT_EQ(window.per_second(kStart + s(40), kStart - s(100)), 0);
  EXPECT_NEAR(window.per_second(kStart + s(10), kStart + s(5)), 100, 0.1) << "since the start";
}

}  // namespace
}  // namespace quire
