// A header that texts of others cannot break.
#include "serve/answer/warning_text.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(WarningText, IsOneLineOfVisibleAscii) {
  EXPECT_EQ(warning_text({"'a' does nothing", "b"}), "299 quire \"'a' does nothing; b\"");
  EXPECT_EQ(warning_text({"x\r\nset-cookie: \"y\"\\\xc3\xa4"}),
            "299 quire \"x??set-cookie: 'y'???\"");
  EXPECT_EQ(warning_text({std::string(100'000, 'a')}).size(), kWarningBytesMax + 12);
}

}  // namespace
}  // namespace quire
