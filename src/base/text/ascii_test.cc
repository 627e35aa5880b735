#include "base/text/ascii.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(Ascii, LettersAloneAreLowered) {
  EXPECT_EQ(lower_ascii("AZaz[@`{09-\xC3\x84"), "azaz[@`{09-\xC3\x84");
}

TEST(Ascii, HexadecimalDigits) {
  int digits = 0;
  for (int c = 0; c < 256; ++c) digits += hex_value(static_cast<char>(c)) >= 0;
  EXPECT_EQ(digits, 22);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(hex_value("0123456789abcdef"[i]), i);
    EXPECT_EQ(hex_value("0123456789ABCDEF"[i]), i);
  }
}

TEST(Ascii, BlanksAroundAText) {
  EXPECT_EQ(trimmed(" \ta b\t "), "a b");
  EXPECT_EQ(trimmed("\na\n"), "\na\n");
  EXPECT_EQ(trimmed("\na\n", "\n"), "a");
  EXPECT_EQ(trimmed(" \t"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(Ascii, PercentEscapes) {
  EXPECT_EQ(percent_decoded("a%2Cb%2c%00"), std::string("a,b,\0", 5));
  EXPECT_EQ(percent_decoded("50%"), "50%");
  EXPECT_EQ(percent_decoded("%2"), "%2");
  EXPECT_EQ(percent_decoded("%zz+%%41"), "%zz+%A");
}

}  // namespace
}  // namespace quire
