// Stays of models, and moments.
#include "serve/dialects/ollama/times.h"

#include <gtest/gtest.h>

#include "host/model_shelf.h"

namespace quire {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(OllamaTimes, AStayIsSecondsOrADurationAndForEverBelowZero) {
  EXPECT_EQ(parse_keep_alive(Json(5)), seconds(5));
  EXPECT_EQ(parse_keep_alive(Json(0.5)), milliseconds(500));
  EXPECT_EQ(parse_keep_alive(Json("5m")), minutes(5));
  EXPECT_EQ(parse_keep_alive(Json(-1)), kForever);
  EXPECT_EQ(parse_keep_alive(Json("-1h")), kForever);
  EXPECT_FALSE(parse_keep_alive(Json("soon")).has_value());
  EXPECT_FALSE(parse_keep_alive(Json(true)).has_value());
}

TEST(OllamaTimes, MomentsAreInUtc) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(rfc3339(1'767'322'984'678'901'000), "2026-01-02T03:03:04.678901Z");
}

}  // namespace
}  // namespace quire
