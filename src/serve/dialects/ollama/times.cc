#include "serve/dialects/ollama/times.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "base/text/go_duration.h"
#include "host/model_shelf.h"

namespace quire {

std::optional<Nanos> parse_keep_alive(const Json& value) {
  std::optional<Nanos> asked;
  if (value.is_number() && std::isfinite(value.as_double())) {
    asked = clamped_nanos(value.as_double() * 1e9);
  } else if (value.is_string()) {
    asked = parse_go_duration(value.as_string());
  }
  if (asked && *asked < Nanos{0}) asked = kForever;
  return asked;
}

std::string rfc3339(std::int64_t unix_nanos) {
  using namespace std::chrono;
  const sys_time<nanoseconds> moment{nanoseconds(unix_nanos)};
  const auto day = floor<days>(moment);
  const year_month_day date(day);
  const hh_mm_ss time(floor<microseconds>(moment - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

}  // namespace quire
