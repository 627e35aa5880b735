// Volatile lines: lines at the head of a system prompt that differ from request to request and
// carry no instruction, so that no cached prefix could ever be met again: what a client bills by,
// sent as text where a header would not get through. Which ones is a table in the source; a
// protocol asks only for lines that its own documents call no part of the prompt. What was seen is
// told, whether it was taken out (--volatile-lines normalise) or left (keep).
// Pure; worker threads. Used by dialects.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quire {

struct VolatileLine {
  std::string_view pattern;  // its name in the table
  bool is_removed = false;
};

// The text without the lines of the table at its head, if they are to be removed.
std::string settle_volatile_lines(std::string_view text, bool keeps_them,
                                  std::vector<VolatileLine>& seen);

}  // namespace quire
