#include "serve/intake/tools/answer_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/constraints/thought_budget.h"
#include "serve/answer/formats/tool_grammar.h"
#include "text/grammar/as_rule.h"

namespace quire {
namespace {

// One text or the other.
GrammarSource either(const GrammarSource& one, const GrammarSource& other) {
  return {GrammarKind::kLark, fmt::format("start: one | other\none: {}\nother: {}\n",
                                          as_lark_rule(one), as_lark_rule(other))};
}

bool has_strict(const OfferedTools& offered) {
  return std::any_of(offered.tools.begin(), offered.tools.end(),
                     [](const Tool& tool) { return tool.is_strict; });
}

}  // namespace

Parsed<HeldAnswer> hold_answer(const HostedModel& model, const OfferedTools& offered,
                               std::optional<AskedGrammar> format, AnswerShape& shape,
                               std::vector<Warning>& warnings) {
  if (!offered.may_call()) return HeldAnswer{.grammar = std::move(format)};
  const bool has_format = format.has_value() && !offered.must_call();
  ToolGrammar wanted = {.format = shape.format,
                        .tools = offered.tools,
                        .choice = offered.choice,
                        .begins_in_thought = shape.begins_in_thought};
  if (has_format) {  // a call, or an answer of that format, behind the thought
    wanted.choice.kind = ToolChoiceKind::kRequired;
    wanted.format.thoughts = nullptr;
    wanted.begins_in_thought = false;
  }
  std::string passed_over;
  Result<GrammarSource> source = lark_of_tools(wanted, *model.tokenizer, &passed_over);
  const bool is_wish = !offered.must_call() && !has_strict(offered);
  if (!source.is_ok()) {
    if (!is_wish) return refuse_grammar("tools", source.status());
    warnings.push_back({kToolsNotEnforced, "tools", source.status().message()});
    return HeldAnswer{.grammar = std::move(format), .holds_less = true};
  }
  if (!passed_over.empty()) warnings.push_back({kToolsNotEnforced, "tools", passed_over});
  HeldAnswer held{.grammar = AskedGrammar{std::move(*source), "tools"},
                  .reads_thoughts = !has_format,
                  .holds_less = !passed_over.empty()};
  if (has_format) held.grammar->source = either(held.grammar->source, format->source);
  held.grammar->is_wish = is_wish && !has_format;
  shape.is_guaranteed = !has_format;
  return held;
}

ThoughtFrame frame_of(const HostedModel& model, const AnswerShape& shape, const HeldAnswer& held,
                      std::optional<std::int64_t> tokens_max) {
  return {.tokenizer = model.tokenizer,
          .eos_ids = model.info.eos_ids,
          .thoughts = shape.format.thoughts,
          .begins_in_thought = shape.begins_in_thought,
          .reads_thoughts = held.reads_thoughts,
          .tokens_max = tokens_max};
}

std::shared_ptr<const Constraint> behind_thought(const ThoughtFrame& frame,
                                                 std::shared_ptr<const Constraint> inner) {
  const bool has_budget = frame.tokens_max && *frame.tokens_max >= 0;
  const bool begins_late = inner != nullptr && !frame.reads_thoughts;
  if (frame.thoughts == nullptr || (!has_budget && !begins_late)) return inner;
  const ThoughtFormat& thoughts = *frame.thoughts;
  ThoughtBudgetOptions options = {.tokenizer = frame.tokenizer,
                                  .eos_ids = frame.eos_ids,
                                  .begins = {thoughts.begins.begin(), thoughts.begins.end()},
                                  .ends = std::string(thoughts.ends),
                                  .begins_in_thought = frame.begins_in_thought,
                                  .inner = std::move(inner),
                                  .inner_reads_thoughts = frame.reads_thoughts};
  if (has_budget) {
    auto closing = frame.tokenizer->encode(
        thoughts.closing_phrase, {.add_special = false, .parse_special = true});
    if (closing.is_ok() && !closing->empty()) {
      constexpr std::int64_t kTokensMax = std::numeric_limits<std::int32_t>::max();
      options.tokens_max = static_cast<std::uint32_t>(std::min(*frame.tokens_max, kTokensMax));
      options.closing = std::move(*closing);
    }
  }
  return std::make_shared<ThoughtBudget>(std::move(options));
}

Framing framing_of(std::vector<ThoughtFrame> frames) {
  return [frames = std::move(frames)](std::size_t index, std::shared_ptr<const Constraint> inner) {
    return behind_thought(frames.at(index), std::move(inner));
  };
}

}  // namespace quire
