// LatencyWindow: how long something took in about the last minute. Times are counted in buckets
// that grow by 5 %, in slots of five seconds that are used in turn: a sample costs a logarithm, the
// memory is fixed (about 20 KB), and a quantile is right to 2.5 %. RateWindow: how much came per
// second in the last ten seconds, in slots of one.
// `now` is given; it must not go back. One thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/nanos.h"

namespace quire {

struct LatencyQuantiles {
  std::uint64_t count = 0;
  double p50_ms = 0, p90_ms = 0, p99_ms = 0;  // of none: 0
};

class LatencyWindow {
 public:
  void add(Nanos now, Nanos time);
  LatencyQuantiles quantiles(Nanos now) const;  // of the last 55 to 60 s

 private:
  static constexpr std::size_t kSlots = 12;
  static constexpr std::size_t kBuckets = 400;  // of 1 us to five minutes; the last one: longer
  struct Slot {
    std::int64_t number = -1;
    std::array<std::uint32_t, kBuckets> counts{};
  };
  std::array<Slot, kSlots> slots_;
};

class RateWindow {
 public:
  void add(Nanos now, std::uint64_t amount);
  // Over the last 10 s, or since `begun` if that is later.
  double per_second(Nanos now, Nanos begun) const;

 private:
  static constexpr std::int64_t kSeconds = 10;
  struct Slot {
    std::int64_t second = -1;
    std::uint64_t amount = 0;
  };
  std::array<Slot, kSeconds + 1> slots_;  // whole ones, and the present one
};

}  // namespace quire
