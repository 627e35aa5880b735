// Parts: what an answer is made of, the same for every protocol: text, a thought, a call of a tool.
// PartStream cuts the text of one choice into parts as it comes. A dialect renders parts and knows
// nothing of how a model writes them.
// Today every text is a text: the formats of thoughts and calls hang here when they are declared.
// One choice; I/O thread. Used by dialects.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/events.h"

namespace quire {

enum class PartKind : std::uint8_t { kText, kReasoning, kToolCall };

// A piece of a part. Pieces of one part follow each other; the part ends where another begins.
struct PartDelta {
  PartKind kind = PartKind::kText;
  std::size_t index = 0;  // of the part in the answer, from 0
  std::string text;       // of a call: more of its arguments
  std::string call_id, call_name;  // of a call: in its first piece
};

class PartStream {
 public:
  void take(const TokenEvent& event, std::vector<PartDelta>& out);
};

}  // namespace quire
