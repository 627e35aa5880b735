#include "base/cpu/cpu_info.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(CpuInfo, KnowsItsModelAndCores) {
  const CpuInfo& info = cpu_info();
  EXPECT_FALSE(info.model.empty());
  EXPECT_GE(info.cores, 1);
}

TEST(CpuInfo, WiderSetsImplyNarrowerOnes) {
  const CpuInfo& info = cpu_info();
  if (info.has_avx512_vnni || info.has_avx512_bf16 || info.has_amx_int8) {
    EXPECT_TRUE(info.has_avx512);
  }
  if (info.has_avx512) {
    EXPECT_TRUE(info.has_avx2);
  }
}

}  // namespace
}  // namespace quire
