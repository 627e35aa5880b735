// Patterns: regular expressions as JSON Schema and Python write them, put into the words of the
// regex compiler behind text/grammar, which knows fewer and reads some differently. The rewritten
// pattern never allows a text that the written one refuses: where two readers of the same pattern
// disagree (\W and \d of letters outside ASCII), what it allows is what both allow. What cannot be
// said (look-around, back-references, word boundaries) is refused by its name.
// Pure; any thread. Used by text/grammar and serve/intake.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace quire {

inline constexpr std::size_t kPatternSizeMax = 16 * 1024;     // bytes
inline constexpr int kPatternDepthMax = 100;                  // groups in groups
inline constexpr std::uint64_t kPatternCountMax = 1'000'000;  // {m,n}
// Counts in counts: (a{1,100}){1,100} is 10,000.
inline constexpr std::uint64_t kPatternNestedMax = 20'000;

// Errors are a clause that says what is wrong and at which byte: "look-behind is not supported (at
// byte 3)".
Result<std::string> rewrite_pattern(std::string_view pattern);

}  // namespace quire
