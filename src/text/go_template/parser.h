// Parser of Go templates: from words to a tree, bounded in depth and size. Functions that nobody
// here knows, variables that nobody has declared and templates that nobody defines are errors that
// name them and the line.
// Pure; any thread. Used by go_template.
#pragma once

#include <string_view>

#include "base/status.h"
#include "text/go_template/syntax.h"

namespace quire::go {

inline constexpr int kDepthMax = 64;  // of actions within actions, and of parentheses
inline constexpr std::size_t kBodiesMax = 256;

Result<Tree> parse(std::string_view source);

}  // namespace quire::go
