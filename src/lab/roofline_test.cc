#include "lab/roofline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/cpu/cpu_info.h"

namespace quire {
namespace {

TEST(RooflineTest, EveryFigureIsPositiveAndFinite) {
  for (const char* isa : {"", "avx2", "scalar"}) {
    RooflineGauge gauge({.threads = 2, .is_quick = true, .isa = isa});
    const Roofline first = gauge.best();
    const Roofline now = gauge.read();
    for (const Roofline& r : {first, now, gauge.best()}) {
      for (const double rate : {r.read_bytes_per_second, r.read_bytes_per_second_small_pages,
                                r.int8_operations_per_second, r.int8_token_operations_per_second,
                                r.bf16_operations_per_second, r.f32_operations_per_second}) {
        EXPECT_TRUE(std::isfinite(rate) && rate > 1e6) << r.isa << " " << rate;
      }
    }
    EXPECT_FALSE(first.read_loop.empty());
    EXPECT_GE(first.read_bytes_per_second, first.read_bytes_per_second_small_pages);
    EXPECT_EQ(gauge.best().read_bytes_per_second,
              std::max(first.read_bytes_per_second, now.read_bytes_per_second));
  }
}

TEST(RooflineTest, TheMeanLiesBetweenTwoReadings) {
  Roofline a, b;
  a.read_bytes_per_second = 40e9, b.read_bytes_per_second = 60e9;
  a.int8_operations_per_second = 1e12, b.int8_operations_per_second = 2e12;
  EXPECT_DOUBLE_EQ(mean_of(a, b).read_bytes_per_second, 50e9);
  EXPECT_DOUBLE_EQ(mean_of(a, b).int8_operations_per_second, 1.5e12);
}

TEST(RooflineTest, UsesTheLoopsOfTheNamedInstructionSet) {
  EXPECT_EQ(RooflineGauge({.threads = 1, .is_quick = true, .isa = "scalar"}).best().isa, "scalar");
  if (cpu_info().has_avx2) {
    EXPECT_EQ(RooflineGauge({.threads = 1, .is_quick = true, .isa = "avx2"}).best().isa, "avx2");
  }
}

}  // namespace
}  // namespace quire
