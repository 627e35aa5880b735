#include "lab/load/load_report.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(LoadReportTest, PercentilesLieBetweenRanks) {
  const Distribution d = distribution_of({4, 1, 3, 2, 5});
  EXPECT_DOUBLE_EQ(d.mean, 3);
  EXPECT_DOUBLE_EQ(d.p50, 3);
  EXPECT_DOUBLE_EQ(d.p99, 4.96);
  EXPECT_DOUBLE_EQ(distribution_of({7}).p99, 7);
  EXPECT_DOUBLE_EQ(distribution_of({}).p50, 0);
}

TEST(LoadReportTest, FailedRequestsCountAsFailedAndNotAsTokens) {
  LoadResult result;
  result.seconds = 2;
  LoadRecord good;
  good.sent_at = 0.5;
  good.first_at = 0.75;
  good.last_at = 1.75;
  good.gaps = {0.5, 0.5};
  good.prompt_tokens = 10;
  good.cached_tokens = 4;
  good.generated_tokens = 6;
  LoadRecord bad;
  bad.error = "HTTP 500: oh";
  bad.generated_tokens = 100;
  result.records = {good, bad};
  const LoadReport report = summarize({}, result);
  EXPECT_EQ(report.succeeded, 1);
  EXPECT_EQ(report.failed, 1);
  EXPECT_DOUBLE_EQ(report.generated_per_second, 3);
  EXPECT_DOUBLE_EQ(report.ttft.p50, 0.25);
  EXPECT_DOUBLE_EQ(report.itl.p99, 0.5);
  EXPECT_DOUBLE_EQ(report.request.mean, 1.25);
  EXPECT_NE(load_table(report).find("HTTP 500: oh"), std::string::npos);
  EXPECT_NE(load_json(report).find("\"generated_tokens\":6"), std::string::npos);
}

}  // namespace
}  // namespace quire
