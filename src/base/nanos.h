// Nanos: the one unit of time. Points in time are Nanos since an arbitrary epoch (process start
// for SteadyClock, zero for virtual time). The thinking wing gets `now` as a value; only
// clock.h reads a clock.
#pragma once

#include <chrono>

namespace quire {

using Nanos = std::chrono::nanoseconds;

constexpr double to_seconds(Nanos nanos) { return static_cast<double>(nanos.count()) * 1e-9; }
constexpr Nanos from_seconds(double seconds) {
  return Nanos(static_cast<Nanos::rep>(seconds * 1e9));
}

}  // namespace quire
