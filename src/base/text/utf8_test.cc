// Utf8Stream against what Python's bytes.decode("utf-8", "replace") gives, for every split.
#include "base/text/utf8.h"

#include <gtest/gtest.h>

#include <random>

namespace quire {
namespace {

std::string decoded(std::string_view bytes) {
  Utf8Stream stream;
  std::string text;
  stream.append(bytes, text);
  stream.flush(text);
  return text;
}

TEST(Utf8, ReplacesMaximalIllFormedParts) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(decoded("a\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x99\x82"), "aé € 🙂");
  EXPECT_EQ(decoded("\xFF\xFE"), r + r);
  EXPECT_EQ(decoded("\xE2\x82"), r);  // cut off: one
  EXPECT_EQ(decoded("\xE2\x82"
                    "a"),
            r + "a");
  EXPECT_EQ(decoded("\xE2\x28\xA1"), r + "(" + r);
  EXPECT_EQ(decoded("\xC0\xAF"), r + r);                  // overlong
  EXPECT_EQ(decoded("\xE0\x80\xAF"), r + r + r);          // overlong
  EXPECT_EQ(decoded("\xED\xA0\x80"), r + r + r);          // surrogate
  EXPECT_EQ(decoded("\xF4\x90\x80\x80"), r + r + r + r);  // beyond U+10FFFF
  EXPECT_EQ(decoded("\xF0\x9F\x99\xF0\x9F\x99\x82"), r + "🙂");
}

TEST(Utf8, IsTheSameForAnySplitAndAlwaysValid) {
  std::mt19937 random(7);
  const std::uint8_t lively[] = {0x00, 0x41, 0x80, 0xBF, 0xC2, 0xE0, 0xA0,
                                 0xED, 0x9F, 0xF0, 0x90, 0xF4, 0xFF};
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    for (unsigned i = random() % 24; i > 0; --i) bytes += static_cast<char>(lively[random() % 13]);
    Utf8Stream stream;
    std::string text;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 1 + random() % 5;
      stream.append(std::string_view(bytes).substr(at, size), text);
      at += size;
      ASSERT_FALSE(first_invalid_utf8(text)) << "half a character was released";
    }
    stream.flush(text);
    ASSERT_EQ(text, decoded(bytes));
    ASSERT_EQ(first_invalid_utf8(bytes).has_value(), text != bytes);
  }
}

TEST(Utf8, NamesTheFirstInvalidByte) {
  EXPECT_EQ(first_invalid_utf8("abc"), std::nullopt);
  EXPECT_EQ(first_invalid_utf8("ab\xFF"), 2u);
  EXPECT_EQ(first_invalid_utf8("é\xE2\x82"), 2u);
}

}  // namespace
}  // namespace quire
