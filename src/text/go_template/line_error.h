// The error of a mistake in a line of a Go template: "template line 3: bad number".
// Pure; any thread.
// Used by lexer, parser and renderer.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "base/status.h"

namespace quire::go {

template <typename... Args>
Status wrong_at(int line, fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "template line {}: {}", line,
               fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace quire::go
