#include "base/aligned_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace quire {
namespace {

TEST(AlignedBufferTest, IsAlignedAndZeroed) {
  AlignedBuffer<float> buffer(1001);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
  for (const float value : buffer.span()) EXPECT_EQ(value, 0.0f);
  EXPECT_EQ(AlignedBuffer<int>().count(), 0u);
}

}  // namespace
}  // namespace quire
