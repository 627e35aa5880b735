// The header "warning" of an answer that went well: what of the wish came to nothing.
// Bound: kWarningBytesMax of text.
// Pure function; any thread. Used by dialects.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace quire {

inline constexpr std::size_t kWarningBytesMax = 2048;

// 299 quire "first; second"; whatever the texts say, it is one line of visible ASCII.
std::string warning_text(const std::vector<std::string>& warnings);

}  // namespace quire
