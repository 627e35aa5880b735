// AnswerShape: how the model of a request writes thoughts and calls, and which of them its answer
// may have: what a dialect's answer needs to cut the text into parts.
// Pure; worker threads. Used by dialects.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/request.h"
#include "host/hosted_model.h"
#include "serve/answer/formats/format.h"
#include "serve/answer/formats/tool.h"

namespace quire {

struct OfferedTools;

struct AnswerShape {
  AnswerFormat format;
  bool begins_in_thought = false;  // the prompt has opened one
  bool reads_thoughts = false, reads_calls = false;
  bool is_guaranteed = false;      // a grammar holds the answer to calls that can be read
  std::vector<Tool> tools;         // that may be called
  ToolChoice choice;
};

// As the operator has named it or the chat template shows it; calls of a model that has learnt none
// are generic ones.
AnswerFormat format_of(const HostedModel& model);

// The shape of an answer to `prompt`; control tokens that are marks come out with the text.
AnswerShape shape_of(const HostedModel& model, std::span<const TokenId> prompt,
                     const OfferedTools& offered, SamplingParams& params);

// The last words of a prompt as a template has written them, control tokens too: where a thought
// would be opened.
std::string end_of_prompt(const Tokenizer& tokenizer, std::span<const TokenId> prompt);

}  // namespace quire
