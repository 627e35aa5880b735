// Times as Ollama writes them: durations in Go's notation ("1h30m", "300ms"), keep_alive as a
// number of seconds or such a text, moments in RFC 3339.
// Pure; any thread. Used by the Ollama dialect.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/nanos.h"

namespace quire {

// Nothing: no duration. What is beyond the range of Nanos is its end.
std::optional<Nanos> parse_go_duration(std::string_view text);

// How long a model stays behind a request; any negative value is for ever (kForever).
std::optional<Nanos> parse_keep_alive(const Json& value);

// "2026-01-02T03:04:05.678901Z", of nanoseconds since 1970.
std::string rfc3339(std::int64_t unix_nanos);

}  // namespace quire
