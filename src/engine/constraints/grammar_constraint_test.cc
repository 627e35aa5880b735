// Requests with a real grammar through a core: what the script draws at random becomes texts of the
// grammar, and they end as they should.
#include "engine/constraints/grammar_constraint.h"

#include <gtest/gtest.h>

#include <regex>

#include "engine/testing/world.h"
#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

constexpr TokenId kEnd = 257;
constexpr const char* kPattern = R"(\{"name": "[a-z]{1,5}", "age": [0-9]{2,3}\})";

std::shared_ptr<const Constraint> constraint_of(GrammarKind kind, std::string text) {
  static const auto factory =
      GrammarFactory::create(byte_level_tokenizer(), std::vector<TokenId>{kEnd}).value();
  return std::make_shared<GrammarConstraint>(factory->compile({kind, std::move(text)}).value());
}

class GrammarConstraintTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  GrammarConstraintTest() {
    options_.eos_ids = {kEnd};
    options_.is_checking_invariants = true;
    script_.capacity = script_capacity(200);
    script_.capacity.depth = GetParam();
    script_.capacity.vocab = 260;
    world_.emplace(options_, script_, ScriptWorld::Wrap(), byte_level_tokenizer());
  }

  Request request(std::shared_ptr<const Constraint> constraint, std::uint64_t seed = 1) {
    Request request;
    request.prompt = {'h', 'i'};
    request.params.tokens_max = 60;
    request.params.seed = seed;
    request.constraint = std::move(constraint);
    return request;
  }

  const ShownBranch& answer(Request asked) {
    asked.id = RequestId{1000 + ++asked_};
    EXPECT_TRUE(world_->submit(asked).is_ok());
    world_->run_until_idle();
    return world_->shown(asked.id).front();
  }

  EngineOptions options_;
  ScriptOptions script_;
  std::optional<ScriptWorld> world_;
  std::uint64_t asked_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Depths, GrammarConstraintTest, testing::Values(1, 2));

TEST_P(GrammarConstraintTest, AnswersAreOfTheGrammarAndEndWithIt) {
  const auto constraint = constraint_of(GrammarKind::kRegex, kPattern);
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const ShownBranch shown = answer(request(constraint, seed));
    EXPECT_TRUE(std::regex_match(shown.text, std::regex(kPattern))) << shown.text;
    EXPECT_EQ(shown.finish, FinishReason::kStop);
    EXPECT_TRUE(shown.last.is_whole);
    EXPECT_EQ(world_->check_ended(), "");
  }
}

TEST_P(GrammarConstraintTest, WhatIsForcedIsFedAtOnceAndIsTheSameDrawnOneByOne) {
  const auto constraint = constraint_of(GrammarKind::kRegex, kPattern);
  const std::uint64_t begin = world_->core().stats().steps;
  const ShownBranch fed = answer(request(constraint));
  const std::uint64_t middle = world_->core().stats().steps;
  const std::uint64_t forced = world_->core().stats().forced_tokens;
  EXPECT_GE(forced, 12u);  // name": " and ", "age":
  Request one_by_one = request(constraint);
  one_by_one.params.logprobs = 0;
  const ShownBranch drawn = answer(one_by_one);
  EXPECT_EQ(world_->core().stats().forced_tokens, forced);
  EXPECT_EQ(fed.tokens, drawn.tokens);
  EXPECT_LT(middle - begin + 10, world_->core().stats().steps - middle);
}

TEST_P(GrammarConstraintTest, AnAnswerThatIsCutSaysSo) {
  Request cut = request(constraint_of(GrammarKind::kRegex, kPattern));
  cut.params.tokens_max = 12;
  const ShownBranch shown = answer(cut);
  EXPECT_EQ(shown.finish, FinishReason::kLength);
  EXPECT_EQ(shown.tokens.size(), 12u);
  EXPECT_FALSE(shown.last.is_whole);
}

TEST_P(GrammarConstraintTest, ATextEndsOnlyWhereItsGrammarDoes) {
  Request open = request(constraint_of(GrammarKind::kRegex, "ab*"));
  open.params.tokens_max = 400;
  const ShownBranch shown = answer(open);
  EXPECT_TRUE(std::regex_match(shown.text, std::regex("ab*"))) << shown.text;
  EXPECT_EQ(shown.tokens.back(), kEnd);
  EXPECT_TRUE(shown.last.is_whole);
  open.params.ignore_eos = true;
  open.params.tokens_max = 50;
  const ShownBranch endless = answer(open);
  EXPECT_EQ(endless.finish, FinishReason::kLength);
  EXPECT_EQ(endless.text, "a" + std::string(49, 'b'));
}

TEST_P(GrammarConstraintTest, WhereNothingIsLeftIsAReasonOfItsOwn) {
  Request longer = request(constraint_of(GrammarKind::kRegex, "abc"));
  longer.params.tokens_min = 10;
  EXPECT_EQ(answer(longer).finish, FinishReason::kNothingAllowed);
  Request other = request(constraint_of(GrammarKind::kRegex, "[ab]c"));
  other.params.allowed.assign(9, 0);
  other.params.allowed['c' / 32] |= 1u << ('c' % 32);
  EXPECT_EQ(answer(other).finish, FinishReason::kNothingAllowed);
}

TEST_P(GrammarConstraintTest, StopStringsEndATextBeforeItsGrammar) {
  Request stopped = request(constraint_of(GrammarKind::kRegex, kPattern));
  stopped.params.stop_strings = {"age"};
  const ShownBranch shown = answer(stopped);
  EXPECT_EQ(shown.finish, FinishReason::kStop);
  EXPECT_EQ(shown.last.stop_string, "age");
  EXPECT_FALSE(shown.last.is_whole);
  EXPECT_EQ(world_->check_idle(), "");
}

}  // namespace
}  // namespace quire
