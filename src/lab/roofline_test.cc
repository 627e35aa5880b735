#include "lab/roofline.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/cpu/cpu_info.h"

namespace quire {
namespace {

TEST(RooflineTest, EveryFigureIsPositiveAndFinite) {
  for (const char* isa : {"", "avx2", "scalar"}) {
    const Roofline r = measure_roofline({.threads = 2, .is_quick = true, .isa = isa});
    for (const double rate : {r.read_bytes_per_second, r.read_bytes_per_second_small_pages,
                              r.int8_operations_per_second, r.bf16_operations_per_second,
                              r.f32_operations_per_second}) {
      EXPECT_TRUE(std::isfinite(rate) && rate > 1e6) << r.isa << " " << rate;
    }
    EXPECT_FALSE(r.read_loop.empty());
    EXPECT_GE(r.read_bytes_per_second, r.read_bytes_per_second_small_pages);
  }
}

TEST(RooflineTest, UsesTheLoopsOfTheNamedInstructionSet) {
  EXPECT_EQ(measure_roofline({.threads = 1, .is_quick = true, .isa = "scalar"}).isa, "scalar");
  if (cpu_info().has_avx2) {
    EXPECT_EQ(measure_roofline({.threads = 1, .is_quick = true, .isa = "avx2"}).isa, "avx2");
  }
}

}  // namespace
}  // namespace quire
