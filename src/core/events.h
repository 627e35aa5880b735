// What the engine tells the front door: new text and tokens of one branch, and its end; and, for
// every row that a step computed, what it was. Those of one step travel together (engine/engine.h).
// Made by engine/session and engine/engine_core on the engine thread, moved to the front door;
// plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "core/request.h"
#include "core/step.h"

namespace quire {

enum class FinishReason : std::uint8_t {
  kNone,       // not finished
  kStop,       // eos, a stop id or a stop string
  kLength,     // tokens_max or the end of the context
  kRepetition,  // the text went round in circles and the request wants to know
  kCancelled,  // the client left or cancelled
  kDeadline,   // its deadline passed
  kNonFinite,  // the model produced NaN or infinity for it
  kNothingAllowed,  // masks and bans left no token to choose
  kGrammarLimit,  // its grammar came to a place that is beyond the budget of a step
  kFault,      // the executor failed
};
std::string_view finish_reason_name(FinishReason reason);

struct Usage {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t cached_tokens = 0;     // of the prompt, taken from the prefix cache
  std::uint32_t generated_tokens = 0;  // of this branch, up to and including what stopped it
};

// `accepted`: the new tokens, whose text may still be held back. `scores`: one for each of them if
// asked.
struct TokenEvent : RowOutput {
  RequestId request;
  int branch = 0;                    // 0..n-1
  std::string text;                  // newly visible text, whole UTF-8 characters
  std::vector<TokenScore> prompt_scores;  // once per request, branch 0: prompt tokens 1..n-1
  FinishReason finish = FinishReason::kNone;
  std::string stop_string;           // which stop string ended it, if one did
  TokenId stop_token = -1;           // which token ended it, if one did
  Usage usage;                       // up to now; final when finish is set
  bool is_whole = true;              // at the end: it is all that its grammar wants
  bool is_last = false;              // no event of this request follows
  std::string message;               // why, for what is nobody's wish
};

// What one row of a step was: for whoever tells how a step was filled and how a request fared.
struct RowFact {
  BranchId of;
  std::uint32_t first_position = 0;
  std::uint32_t tokens = 0;     // fed to the model
  std::uint32_t generated = 0;  // of what came out, that which reached its client
  bool is_decode = false;       // fed the newest token; else the prompt, or a text once more
  bool is_admission = false;    // the first row since it was let in, or let in again
  bool is_fork = false;         // of an admission: it goes on from what branch 0 has computed
};

}  // namespace quire
