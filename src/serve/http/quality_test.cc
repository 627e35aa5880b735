#include "serve/http/quality.h"

#include <gtest/gtest.h>

namespace quire::http {
namespace {

TEST(QualityTest, NamesAndWeights) {
  const char* chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
  EXPECT_EQ(quality_of(chromium, "text/html"), 1000);
  EXPECT_EQ(quality_of(chromium, "application/xml"), 900);
  EXPECT_EQ(quality_of(chromium, "application/json"), 0) << "a wildcard is no preference";
  EXPECT_EQ(quality_of("*/*", "text/html"), 0);
  EXPECT_EQ(quality_of("", "gzip"), 0);
  EXPECT_EQ(quality_of("br, GZip ; Q=0.125", "gzip"), 125);
  EXPECT_EQ(quality_of("gzip;level=9;q=1.000", "gzip"), 1000);
  EXPECT_EQ(quality_of("gzip;q=0, br", "gzip"), 0);
}

TEST(QualityTest, MalformedWeightsAreZero) {
  for (const char* list : {"gzip;q=", "gzip;q=2", "gzip;q=0.1234", "gzip;q=1x", "gzip;q=-1"}) {
    EXPECT_EQ(quality_of(list, "gzip"), 0) << list;
  }
  EXPECT_EQ(quality_of(",,;q=1,gzip;", "gzip"), 1000);
}

}  // namespace
}  // namespace quire::http
