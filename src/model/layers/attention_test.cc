#include "model/layers/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quire {
namespace {

using ::testing::ElementsAre;

TEST(AlibiTest, SlopesArePowersOfOneNumber) {
  EXPECT_THAT(alibi_slopes(8), ElementsAre(0.5f, 0.25f, 0.125f, 0.0625f, 0.03125f, 0.015625f,
                                           0.0078125f, 0.00390625f));
}

// As the published code has it: heads beyond a power of two take every other power of twice as
// many.
TEST(AlibiTest, HeadsBeyondAPowerOfTwoLieBetweenTheOthers) {
  EXPECT_THAT(alibi_slopes(6), ElementsAre(0.25f, 0.0625f, 0.015625f, 0.00390625f, 0.5f, 0.125f));
}

}  // namespace
}  // namespace quire
