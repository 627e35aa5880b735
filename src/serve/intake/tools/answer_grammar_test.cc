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

}  // namespace
}  // namespace quire
