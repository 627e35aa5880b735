// What is a duration of Go, and what is none.
#include "base/text/go_duration.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(GoDuration, WhatIsOneAndWhatIsNone) {
  EXPECT_EQ(parse_go_duration("10m"), minutes(10));
  EXPECT_EQ(parse_go_duration("1h30m"), minutes(90));
  EXPECT_EQ(parse_go_duration("300ms"), milliseconds(300));
  EXPECT_EQ(parse_go_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_go_duration("-2s"), seconds(-2));
  EXPECT_EQ(parse_go_duration("0"), Nanos(0));
  EXPECT_EQ(parse_go_duration("1us"), Nanos(1000));
  EXPECT_EQ(parse_go_duration("99999999h"), Nanos::max());
  for (const char* bad : {"", "-", "5", "m", "5x", "1 h", "1h 2", ".s", "1..2s"}) {
    EXPECT_FALSE(parse_go_duration(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace quire
