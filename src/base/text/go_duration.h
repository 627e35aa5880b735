// Durations in Go's notation: "1h30m", "300ms", "-1.5h"; units are ns, us, ms, s, m and h, and a
// number without one is none.
// Pure; any thread. Used by flags and by the Ollama dialect.
#pragma once

#include <optional>
#include <string_view>

#include "base/nanos.h"

namespace quire {

// What is beyond the range of Nanos is its end.
Nanos clamped_nanos(double nanos);

// Nothing: no duration. Clamped likewise.
std::optional<Nanos> parse_go_duration(std::string_view text);

}  // namespace quire
