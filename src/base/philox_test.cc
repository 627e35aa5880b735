#include "base/philox.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace quire {
namespace {

// The known answers of the Random123 distribution for philox4x32-10.
TEST(PhiloxTest, ReproducesThePublishedVectors) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint64_t ones = ~std::uint64_t{0};
  EXPECT_EQ(philox(ones, ones, ones), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(PhiloxTest, UniformsAreInsideTheOpenIntervalAndEven) {
  std::array<int, 16> count{};
  for (std::uint64_t position = 0; position < 16000; ++position) {
    const double u = philox_uniform(5, position, 0);
    ASSERT_GT(u, 0);
    ASSERT_LT(u, 1);
    ++count[static_cast<int>(u * 16)];
  }
  for (const int n : count) EXPECT_NEAR(n, 1000, 150);
}

}  // namespace
}  // namespace quire
