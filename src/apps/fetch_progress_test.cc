#include "apps/fetch_progress.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

TEST(TransferMeterTest, TellsSpeedAndTimeLeftOfWhatIsFetchedNow) {
  TransferMeter meter;
  const Nanos start = std::chrono::seconds(100);
  const auto after = [&](int seconds) { return start + Nanos(std::chrono::seconds(seconds)); };
  EXPECT_EQ(meter.text(start, 600 * kMebibyte, 1000 * kMebibyte), " 60 %  600 MiB of 1000 MiB")
      << "what was here before is no speed";
  EXPECT_EQ(meter.text(after(1), 610 * kMebibyte, 1000 * kMebibyte),
            " 61 %  610 MiB of 1000 MiB  10.0 MiB/s  39 s left");
  EXPECT_EQ(meter.text(after(2), 630 * kMebibyte, 1000 * kMebibyte),
            " 63 %  630 MiB of 1000 MiB  13.0 MiB/s  28 s left")
      << "smoothed";
}

TEST(TransferMeterTest, StandsStillWithoutDividingByNothing) {
  TransferMeter meter;
  EXPECT_EQ(meter.text(std::chrono::seconds(1), 0, 0), "100 %  0 bytes of 0 bytes");
  EXPECT_EQ(meter.text(std::chrono::seconds(9), 0, 10), "  0 %  0 bytes of 10 bytes");
}

}  // namespace
}  // namespace quire
