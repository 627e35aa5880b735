// SteadyClock: the only file that reads time. Everything else is given `now` as a value, so that
// the thinking wing runs the same in virtual time and twice the same in tests.
// Any thread.
#pragma once

#include <time.h>

#include <cstdint>

#include "base/nanos.h"

namespace quire {

struct SteadyClock {
  static Nanos now() {
    return std::chrono::duration_cast<Nanos>(std::chrono::steady_clock::now().time_since_epoch());
  }
  // Seconds since 1970, for `created` fields and logs; never for decisions.
  static std::int64_t unix_seconds() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  // Nanoseconds since 1970, for moments that answers name; never for decisions.
  static std::int64_t unix_nanos() {
    return std::chrono::duration_cast<Nanos>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  // How far local time is ahead of UTC at a moment; for dates that people read.
  static std::int32_t utc_offset_seconds(std::int64_t unix_seconds) {
    const time_t moment = unix_seconds;
    tm local{};
    return ::localtime_r(&moment, &local) == nullptr ? 0
                                                     : static_cast<std::int32_t>(local.tm_gmtoff);
  }
  // What the calling thread has computed so far; for metrics.
  static Nanos thread_cpu() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + Nanos(time.tv_nsec);
  }
};

}  // namespace quire
