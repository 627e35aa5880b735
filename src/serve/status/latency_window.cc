#include "serve/status/latency_window.h"

#include <algorithm>
#include <cmath>

namespace quire {
namespace {

constexpr Nanos kSlotTime = std::chrono::seconds(5);
constexpr Nanos kUnit = std::chrono::microseconds(1);
constexpr double kGrowth = 1.05;

double bucket_ms(std::size_t bucket) {  // its geometric middle
  return to_seconds(kUnit) * 1e3 * std::pow(kGrowth, static_cast<double>(bucket) + 0.5);
}

}  // namespace

void LatencyWindow::add(Nanos now, Nanos time) {
  const std::int64_t number = now / kSlotTime;
  Slot& slot = slots_[static_cast<std::size_t>(number) % kSlots];
  if (slot.number != number) slot = {.number = number};
  const double units = static_cast<double>(time.count()) / static_cast<double>(kUnit.count());
  const double bucket = units > 1 ? std::log(units) / std::log(kGrowth) : 0;
  ++slot.counts[std::min(static_cast<std::size_t>(bucket), kBuckets - 1)];
}

LatencyQuantiles LatencyWindow::quantiles(Nanos now) const {
  const std::int64_t oldest = now / kSlotTime - static_cast<std::int64_t>(kSlots) + 1;
  std::array<std::uint64_t, kBuckets> counts{};
  LatencyQuantiles out;
  for (const Slot& slot : slots_) {
    if (slot.number < oldest) continue;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      counts[i] += slot.counts[i];
      out.count += slot.counts[i];
    }
  }
  if (out.count == 0) return out;
  const auto quantile = [&](double share) {
    const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(out.count)));
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    while (bucket + 1 < kBuckets && (seen += counts[bucket]) < rank) ++bucket;
    return bucket_ms(bucket);
  };
  out.p50_ms = quantile(0.5);
  out.p90_ms = quantile(0.9);
  out.p99_ms = quantile(0.99);
  return out;
}

void RateWindow::add(Nanos now, std::uint64_t amount) {
  const std::int64_t second = now / Nanos(std::chrono::seconds(1));
  Slot& slot = slots_[static_cast<std::size_t>(second) % slots_.size()];
  if (slot.second != second) slot = {.second = second};
  slot.amount += amount;
}

double RateWindow::per_second(Nanos now, Nanos begun) const {
  constexpr Nanos kSecond = std::chrono::seconds(1);
  const std::int64_t oldest = now / kSecond - kSeconds;
  std::uint64_t amount = 0;
  for (const Slot& slot : slots_) {
    if (slot.second >= oldest) amount += slot.amount;
  }
  const Nanos from = std::max(begun, oldest * kSecond);
  return static_cast<double>(amount) / std::max(1.0, to_seconds(now - from));
}

}  // namespace quire
