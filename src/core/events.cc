#include "core/events.h"

namespace quire {

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone: return "none";
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kRepetition: return "repetition";
    case FinishReason::kCancelled: return "cancelled";
    case FinishReason::kDeadline: return "deadline";
    case FinishReason::kNonFinite: return "non_finite";
    case FinishReason::kNothingAllowed: return "nothing_allowed";
    case FinishReason::kGrammarLimit: return "grammar_limit";
    case FinishReason::kFault: return "fault";
  }
  return "unknown";
}

}  // namespace quire
