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

}  // namespace
}  // namespace quire
