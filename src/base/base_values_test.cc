// Examples for the small values of base/: Status, Result, Philox, hashes, aligned memory.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <set>
#include <string>

#include "base/aligned_buffer.h"
#include "base/hash.h"
#include "base/philox.h"
#include "base/status.h"

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

TEST(HashTest, EveryByteAndTheLengthCount) {
  const std::string text = "0123456789abcdefghij";
  std::set<std::uint64_t> seen = {hash_bytes(text.data(), text.size())};
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] ^= 1;
    EXPECT_TRUE(seen.insert(hash_bytes(changed.data(), changed.size())).second) << i;
    EXPECT_TRUE(seen.insert(hash_bytes(text.data(), i)).second) << i;
  }
}

TEST(AlignedBufferTest, IsAlignedAndZeroed) {
  AlignedBuffer<float> buffer(1001);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
  for (const float value : buffer.span()) EXPECT_EQ(value, 0.0f);
  EXPECT_EQ(AlignedBuffer<int>().count(), 0u);
}

}  // namespace
}  // namespace quire
