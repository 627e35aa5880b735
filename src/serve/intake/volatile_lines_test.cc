#include "serve/intake/volatile_lines.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

constexpr std::string_view kLine = "x-anthropic-billing-header: cc_version=2.1.1.0a1; cch=36ee5;";

TEST(VolatileLines, GoFromTheHeadOnly) {
  std::vector<VolatileLine> seen;
  EXPECT_EQ(settle_volatile_lines(kLine, false, seen), "");
  EXPECT_EQ(settle_volatile_lines(std::string(kLine) + "\nYou are x.", false, seen), "You are x.");
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].pattern, "anthropic-billing-header");
  EXPECT_TRUE(seen[0].is_removed);
  const std::string quoted = "You are x.\n" + std::string(kLine);
  EXPECT_EQ(settle_volatile_lines(quoted, false, seen), quoted);
  EXPECT_EQ(seen.size(), 2u);
}

TEST(VolatileLines, StayWhereTheyAreKeptAndAreTold) {
  std::vector<VolatileLine> seen;
  EXPECT_EQ(settle_volatile_lines(kLine, true, seen), kLine);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_FALSE(seen[0].is_removed);
}

}  // namespace
}  // namespace quire
