// The places of distances, against values of the paper's own code for 256 buckets up to 512.
#include "model/encoder/disentangled.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(DisentangledTest, NearPlacesAreTheDistance) {
  const Disentangled plain = {.span = 8};
  EXPECT_EQ(places_of(plain, 9), (std::vector<std::int32_t>{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
                                                            12, 13, 14, 15, 15, 15}));
}

TEST(DisentangledTest, FarPlacesAreShared) {
  const Disentangled d = {.span = 256, .buckets = 256, .distance_max = 512};
  for (int i = -128; i <= 128; ++i) EXPECT_EQ(place_of(d, i), 256 + i);
  EXPECT_EQ(place_of(d, 129), 256 + 129);
  EXPECT_EQ(place_of(d, 200), 256 + 169);
  EXPECT_EQ(place_of(d, 300), 256 + 207);
  EXPECT_EQ(place_of(d, 511), 256 + 255);
  EXPECT_EQ(place_of(d, -300), 256 - 207);
  EXPECT_EQ(place_of(d, 5000), 511);
  EXPECT_EQ(place_of(d, -5000), 0);
}

}  // namespace
}  // namespace quire
