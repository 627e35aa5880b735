#include "serve/intake/tools/answer_shape.h"

#include <algorithm>

#include "serve/intake/tools/offered_tools.h"

namespace quire {

std::string end_of_prompt(const Tokenizer& tokenizer, std::span<const TokenId> prompt) {
  constexpr std::size_t kTokens = 64;  // more than what opens a thought has
  std::string text;
  for (const TokenId token : prompt.last(std::min(prompt.size(), kTokens))) {
    text += tokenizer.is_special(token) ? tokenizer.token_text(token)
                                        : tokenizer.token_bytes(token);
  }
  return text;
}

AnswerFormat format_of(const HostedModel& model) {
  AnswerFormat format;
  const std::string& calls = model.info.call_format;
  const std::string& thoughts = model.info.thought_format;
  if (model.chat_template != nullptr && (calls.empty() || thoughts.empty())) {
    format = format_of_template(model.chat_template->source());
  }
  if (!calls.empty()) format.calls = find_call_format(calls);
  if (!thoughts.empty()) format.thoughts = find_thought_format(thoughts);
  if (format.calls == nullptr) format.calls = &generic_call_format();
  return format;
}

AnswerShape shape_of(const HostedModel& model, std::span<const TokenId> prompt,
                     const OfferedTools& offered, SamplingParams& params) {
  AnswerShape shape{.format = format_of(model)};
  shape.choice = offered.choice;
  shape.reads_calls = offered.may_call();
  if (shape.reads_calls) shape.tools = offered.tools;
  if (!shape.reads_calls) shape.format.calls = nullptr;  // whatever looks like one is text
  shape.reads_thoughts = shape.format.thoughts != nullptr;
  shape.begins_in_thought = shape.reads_thoughts &&
                            ends_in_thought(shape.format, end_of_prompt(*model.tokenizer, prompt));
  if (params.skip_special_tokens) params.shown_tokens = mark_tokens(shape.format, *model.tokenizer);
  return shape;
}

}  // namespace quire
