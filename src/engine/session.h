// Session: what one branch's client sees. It takes the tokens that a step accepted and turns them
// into text, finds the end (eos, stop ids, stop strings, length, circles), holds text back that may
// be the beginning of a stop string, and counts usage. What follows a stop in the same step is
// dropped here, so that no answer depends on how many tokens a step brought.
//
// tokens_min: until so many tokens are generated, stop strings are not looked for (and the sampler
// does not draw stop tokens). Engine thread; owned by EngineCore.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "core/events.h"
#include "core/request.h"
#include "sched/scheduler.h"
#include "text/detokenizer.h"
#include "text/stop_matcher.h"
#include "text/tokenizer.h"

namespace quire {

class Session {
 public:
  // Whether the stop strings are acceptable. `tokenizer` may be null: then there is no text.
  static Status check(const Request& request, const Tokenizer* tokenizer);

  // The request and the tokenizer outlive the session; `eos_ids` are the model's.
  Session(const Request& request, int branch, const Tokenizer* tokenizer,
          const std::vector<TokenId>& eos_ids);

  // Takes one step's news; `is_text_over`: nothing may follow it. The event's `finish` is set if
  // the branch has ended.
  TokenEvent accept(Progress progress, bool is_text_over = false);
  // Ends the branch for another reason; what was held back is shown.
  TokenEvent end(FinishReason reason, std::string message);

  bool has_ended() const { return has_ended_; }

 private:
  TokenEvent blank_event() const;
  void take_prompt_scores(Progress& progress, TokenEvent& event);
  bool take_token(TokenId token, TokenEvent& event);  // true: it ended the branch
  bool is_stop_token(TokenId token) const;
  bool goes_in_circles(TokenId token);  // after this one
  void show(const std::string& text, TokenEvent& event);
  void flush(TokenEvent& event);

  const Request* request_;
  int branch_;
  const std::vector<TokenId>* eos_ids_;
  std::optional<Detokenizer> detokenizer_;
  std::optional<StopMatcher> matcher_;
  std::vector<TokenScore> prompt_scores_;  // until they are complete
  std::vector<TokenId> recent_;  // as many as a limit of repetition looks at
  std::uint32_t generated_ = 0;
  std::uint32_t cached_ = 0;
  bool has_ended_ = false;
};

}  // namespace quire
