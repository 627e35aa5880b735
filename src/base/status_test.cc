#include "base/status.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

Result<int> half_of(int value) {
  if (value % 2 != 0) return error(StatusCode::kInvalidArgument, "{} is odd", value);
  return value / 2;
}

Result<int> quarter_of(int value) {
  QUIRE_ASSIGN_OR_RETURN(const int half, half_of(value));
  return half_of(half);
}

TEST(StatusTest, AResultIsAValueOrTheReasonWhyNot) {
  EXPECT_EQ(quarter_of(12).value(), 3);
  const auto bad = quarter_of(6);
  ASSERT_FALSE(bad.is_ok());
  EXPECT_EQ(bad.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(bad.status().message(), "3 is odd");
  EXPECT_DEATH(half_of(3).value(), "3 is odd");
}

}  // namespace
}  // namespace quire
