#include "serve/answer/shaped_parts.h"

#include <utility>

#include "serve/answer/formats/tool_grammar.h"

namespace quire {
namespace {

// Where the model may call the grammar begins where a call opens.
std::vector<TokenId> openings(const AnswerShape& shape, const ModelLease& model) {
  const bool may_call = shape.is_guaranteed && shape.choice.kind != ToolChoiceKind::kRequired;
  if (!may_call) return {};
  return opening_tokens(*shape.format.calls, *model->tokenizer);
}

}  // namespace

ShapedParts::ShapedParts(const AnswerShape& shape, const ModelLease& model, std::string_view id,
                         std::size_t choice)
    : parts_(PartStreamOptions{.format = shape.format,
                               .begins_in_thought = shape.begins_in_thought,
                               .reads_thoughts = shape.reads_thoughts,
                               .reads_calls = shape.reads_calls,
                               .is_guaranteed = shape.is_guaranteed,
                               .opening_tokens = openings(shape, model),
                               .tools = shape.tools,
                               .request_id = std::string(id),
                               .choice = static_cast<int>(choice)}),
      is_parallel_(shape.choice.is_parallel) {}

// A grammar would have seen to it.
void ShapedParts::take(const TokenEvent& event, std::vector<PartDelta>& out) {
  std::vector<PartDelta> parts;
  parts_.take(event, parts);
  for (PartDelta& part : parts) {
    if (part.kind == PartKind::kToolCall && !is_parallel_) {
      if (first_call_.value_or(part.index) != part.index) continue;
      first_call_ = part.index;
    }
    out.push_back(std::move(part));
  }
}

}  // namespace quire
