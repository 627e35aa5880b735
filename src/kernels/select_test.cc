#include "kernels/select.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(Select, NamesAndErrors) {
  EXPECT_EQ((*select_kernels("scalar"))->name, "scalar");
  const auto unknown = select_kernels("vax");
  ASSERT_FALSE(unknown.is_ok());
  EXPECT_NE(unknown.status().message().find("scalar"), std::string::npos);
  EXPECT_EQ(all_supported().back()->name, "scalar");
}

}  // namespace
}  // namespace quire
