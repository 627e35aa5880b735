// Times as Ollama writes them: keep_alive as a number of seconds or a duration in Go's notation
// (base/text/go_duration.h), moments in RFC 3339.
// Pure; any thread. Used by the Ollama dialect.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/nanos.h"

namespace quire {

// How long a model stays behind a request; any negative value is for ever (kForever).
std::optional<Nanos> parse_keep_alive(const Json& value);

// "2026-01-02T03:04:05.678901Z", of nanoseconds since 1970.
std::string rfc3339(std::int64_t unix_nanos);

}  // namespace quire
