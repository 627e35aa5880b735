// What an answer is held to: the grammar of the tools that it has to call or may call, of the
// format that was asked for beside them, and the thought that comes before either.
// Pure; worker threads. Used by dialects.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/constraint.h"
#include "host/hosted_model.h"
#include "serve/intake/api_error.h"
#include "serve/intake/constraint.h"
#include "serve/intake/tools/answer_shape.h"
#include "serve/intake/tools/offered_tools.h"
#include "serve/intake/tools/warning.h"

namespace quire {

// The grammar of an answer, and whether the thought before it is a part of it.
struct HeldAnswer {
  std::optional<AskedGrammar> grammar;  // nothing: it is free
  bool reads_thoughts = false;
  bool holds_less = false;  // than the schemas of the tools say
};

// `format`: what the answer has to look like where it is no call. Sets shape.is_guaranteed: true
// also where the grammar is a wish, which comes to nothing where it does not compile. A call
// that has to be made, and a strict tool, are refused where they cannot be enforced; what a model
// may call is then left to it. What of the schemas is not enforced is told in a warning.
Parsed<HeldAnswer> hold_answer(const HostedModel& model, const OfferedTools& offered,
                               std::optional<AskedGrammar> format, AnswerShape& shape,
                               std::vector<Warning>& warnings);

// How a thought stands before an answer.
struct ThoughtFrame {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<TokenId> eos_ids;
  const ThoughtFormat* thoughts = nullptr;  // null: the model has none
  bool begins_in_thought = false;
  bool reads_thoughts = false;              // of the grammar
  std::optional<std::int64_t> tokens_max;   // of the thought; nothing or negative: as it likes
};

using Framing = std::function<std::shared_ptr<const Constraint>(
    std::size_t index, std::shared_ptr<const Constraint> inner)>;

ThoughtFrame frame_of(const HostedModel& model, const AnswerShape& shape, const HeldAnswer& held,
                      std::optional<std::int64_t> tokens_max);

// What Call::frame does to the requests of those frames.
Framing framing_of(std::vector<ThoughtFrame> frames);

// `inner` (null: anything) behind the thought, which ends in time; or `inner` itself.
std::shared_ptr<const Constraint> behind_thought(const ThoughtFrame& frame,
                                                 std::shared_ptr<const Constraint> inner);

}  // namespace quire
