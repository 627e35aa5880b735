// What an answer beside tools is held to: a call, or the format that was asked for.
#include "serve/intake/tools/answer_grammar.h"

#include <gtest/gtest.h>

#include "serve/intake/tools/answer_shape.h"
#include "serve/intake/tools/offered_tools.h"
#include "serve/testing/test_model.h"
#include "text/grammar/grammar.h"

namespace quire {
namespace {

using Verdict = GrammarState::Verdict;

TEST(AnswerGrammar, AFormatBesideToolsIsKeptToItsLetters) {
  const HostedModel model = make_test_model({});
  OfferedTools offered;
  const Json name = "say";
  ASSERT_FALSE(add_tool({.name = &name}, false, offered));
  SamplingParams params;
  AnswerShape shape = shape_of(model, {}, offered, params);
  std::vector<Warning> warnings;
  auto held = hold_answer(
      model, offered, AskedGrammar{{GrammarKind::kRegex, R"(a/b[/x]\/c\\/)"}, "guided_regex"},
      shape, warnings);
  ASSERT_TRUE(held.is_ok());
  const auto factory = GrammarFactory::create(model.tokenizer, model.info.eos_ids).value();
  const auto grammar = factory->compile(held->grammar->source);
  ASSERT_TRUE(grammar.is_ok()) << grammar.status().message() << "\n" << held->grammar->source.text;
  EXPECT_EQ((*grammar)->begin().value()->accept_text(R"(a/bx/c\/)").value(), Verdict::kWhole);
  EXPECT_EQ((*grammar)->begin().value()->accept_text("a/bc").value(), Verdict::kNo);
}

// A call that the model may make is as certain as one that it has to make, once it is opened.
TEST(AnswerGrammar, CallsAreCertainFromWhereTheyOpen) {
  const HostedModel model = make_test_model({});
  OfferedTools offered;
  const Json name = "say";
  const Json parameters = *parse_json(
      R"({"type":"object","properties":{"a":{"type":"array","uniqueItems":true}}})");
  ASSERT_FALSE(add_tool({.name = &name, .parameters = &parameters}, false, offered));
  SamplingParams params;
  const auto held = [&](std::optional<AskedGrammar> format, AnswerShape& shape) {
    std::vector<Warning> warnings;
    shape = shape_of(model, {}, offered, params);
    auto answer = hold_answer(model, offered, std::move(format), shape, warnings);
    EXPECT_TRUE(answer.is_ok() && answer->holds_less);
    EXPECT_EQ(warnings.size(), 1u);
    for (const Warning& it : warnings) {
      EXPECT_EQ(it.code, kToolsNotEnforced);
      EXPECT_NE(it.message.find("/properties/a/uniqueItems"), std::string::npos) << it.message;
    }
    return std::move(answer).value();
  };
  AnswerShape shape;
  EXPECT_TRUE(held({}, shape).grammar->is_wish);
  EXPECT_TRUE(shape.is_guaranteed);
  held(AskedGrammar{{GrammarKind::kRegex, "a"}, "guided_regex"}, shape);
  EXPECT_FALSE(shape.is_guaranteed) << "what looks like a call may be the format's";
  offered.choice.kind = ToolChoiceKind::kRequired;
  held({}, shape);
  EXPECT_TRUE(shape.is_guaranteed);
}

}  // namespace
}  // namespace quire
