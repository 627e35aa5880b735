// Thoughts under a budget: where they are closed, by what, what the constraint behind them sees,
// and that tokens can be taken back.
#include "engine/constraints/thought_budget.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "text/testing/byte_tokenizer.h"

namespace quire {
namespace {

using Words = std::vector<std::uint32_t>;

bool has(const Words& words, TokenId token) {
  const auto bit = static_cast<std::size_t>(token);
  return (words[bit / 32] >> (bit % 32) & 1u) != 0;
}

// Wants one text; what has come of it is seen by the test.
class OneText final : public Constraint {
 public:
  explicit OneText(std::string text) : text_(std::move(text)) {}

  Result<std::unique_ptr<ConstraintState>> begin() const override {
    return std::unique_ptr<ConstraintState>(std::make_unique<State>(text_));
  }

 private:
  class State final : public ConstraintState {
   public:
    explicit State(const std::string& text) : ids_(text.begin(), text.end()) {}

    Result<bool> write_mask(std::span<std::uint32_t> words) override {
      std::fill(words.begin(), words.end(), 0u);
      if (!is_over()) words[static_cast<std::size_t>(ids_[at_]) / 32] |= 1u << (ids_[at_] % 32);
      return true;
    }
    Status accept(TokenId token) override {
      if (is_over() || token != ids_[at_]) {
        return error(StatusCode::kInvalidArgument, "token {} at {}", token, at_);
      }
      ++at_;
      return ok_status();
    }
    Status roll_back(std::size_t tokens) override {
      at_ -= tokens;
      return ok_status();
    }
    std::span<const TokenId> forced() const override { return std::span(ids_).subspan(at_); }
    bool is_over() const override { return at_ == ids_.size(); }
    bool may_end() const override { return is_over(); }

   private:
    std::vector<TokenId> ids_;
    std::size_t at_ = 0;
  };

  std::string text_;
};

std::vector<TokenId> ids_of(std::string_view text) { return {text.begin(), text.end()}; }

class ThoughtBudgetTest : public ::testing::Test {
 protected:
  ThoughtBudgetTest() {
    options_.tokenizer = make_test_tokenizer();
    options_.eos_ids = {kTestImEnd};
    options_.begins = {"<t>"};
    options_.ends = "</t>";
    options_.closing = ids_of("!</t>");
  }

  void begin() {
    auto state = ThoughtBudget(options_).begin();
    ASSERT_TRUE(state.is_ok()) << state.status().message();
    state_ = std::move(*state);
  }

  void say(std::string_view text) {
    for (const TokenId token : ids_of(text)) {
      const Status status = state_->accept(token);
      ASSERT_TRUE(status.is_ok()) << status.message();
    }
  }

  std::string forced() const {
    std::string text;
    for (const TokenId token : state_->forced()) text += static_cast<char>(token);
    return text;
  }

  // The tokens that may come; empty: every one.
  Words mask() {
    Words words((kTestVocab + 31) / 32);
    const auto is_written = state_->write_mask(words);
    EXPECT_TRUE(is_written.is_ok());
    return is_written.is_ok() && *is_written ? words : Words();
  }

  ThoughtBudgetOptions options_;
  std::unique_ptr<ConstraintState> state_;
};

TEST_F(ThoughtBudgetTest, AThoughtThatHadItsTokensIsClosed) {
  options_.begins_in_thought = true;
  options_.tokens_max = 3;
  begin();
  say("ab");
  EXPECT_EQ(forced(), "");
  EXPECT_TRUE(mask().empty());
  say("c");
  EXPECT_EQ(forced(), "!</t>");
  EXPECT_FALSE(state_->accept('x').is_ok());
  const Words words = mask();
  ASSERT_FALSE(words.empty());
  EXPECT_TRUE(has(words, '!'));
  EXPECT_FALSE(has(words, 'x'));
  EXPECT_FALSE(state_->may_end());
  say("!<");
  EXPECT_EQ(forced(), "/t>");
  say("/t>");
  EXPECT_EQ(forced(), "");
  say("the answer is as long as it likes");
  EXPECT_EQ(forced(), "");
  EXPECT_TRUE(state_->may_end());
}

TEST_F(ThoughtBudgetTest, AThoughtThatEndsItselfIsLeftAlone) {
  options_.tokens_max = 9;
  begin();
  say(" <t>ab</t>");
  for (int i = 0; i < 20; ++i) {
    say("x");
    EXPECT_EQ(forced(), "");
  }
}

TEST_F(ThoughtBudgetTest, AnAnswerWithoutAThoughtHasNoBudget) {
  options_.tokens_max = 0;
  begin();
  say("an <t>answer");
  EXPECT_EQ(forced(), "");
}

TEST_F(ThoughtBudgetTest, NothingIsCutInsideACharacter) {
  options_.begins_in_thought = true;
  options_.tokens_max = 1;
  begin();
  ASSERT_TRUE(state_->accept(0xC3).is_ok());
  EXPECT_EQ(forced(), "");
  ASSERT_TRUE(state_->accept(0xA9).is_ok());
  EXPECT_EQ(forced(), "!</t>");
}

TEST_F(ThoughtBudgetTest, ABudgetOfNothingClosesAtOnce) {
  options_.begins_in_thought = true;
  options_.tokens_max = 0;
  begin();
  EXPECT_EQ(forced(), "!</t>");
}

TEST_F(ThoughtBudgetTest, WhatTheAnswerLooksLikeBeginsBehindTheThought) {
  options_.begins_in_thought = true;
  options_.inner = std::make_shared<OneText>("{}");
  begin();
  const Words thinking = mask();
  EXPECT_TRUE(has(thinking, 'x'));
  EXPECT_FALSE(has(thinking, kTestImEnd)) << "the answer would be missing";
  say("any thing</t>");
  EXPECT_EQ(forced(), "{}");
  EXPECT_FALSE(state_->may_end());
  say("{}");
  EXPECT_TRUE(state_->is_over());
  EXPECT_TRUE(state_->may_end());
}

TEST_F(ThoughtBudgetTest, ThePhraseIsSaidToItsEnd) {
  options_.begins_in_thought = true;
  options_.tokens_max = 1;
  options_.closing = ids_of("!</t>\n\n");
  options_.inner = std::make_shared<OneText>("{}");
  begin();
  say("a!</t>");
  EXPECT_EQ(forced(), "\n\n");
  say("\n\n");
  EXPECT_EQ(forced(), "{}");
  ASSERT_TRUE(state_->roll_back(1).is_ok());
  EXPECT_EQ(forced(), "\n");
}

TEST_F(ThoughtBudgetTest, AThoughtMayBeginInPlaceOfTheAnswer) {
  options_.begins = {"<|im_start|>"};
  options_.inner = std::make_shared<OneText>("{}");
  begin();
  EXPECT_EQ(forced(), "") << "the model has a choice";
  const Words words = mask();
  EXPECT_TRUE(has(words, '{'));
  EXPECT_TRUE(has(words, kTestImStart));
  EXPECT_FALSE(has(words, 'x'));
  ASSERT_TRUE(state_->accept(kTestImStart).is_ok());
  say("hm</t>");
  EXPECT_EQ(forced(), "{}");
  options_.may_think = false;
  begin();
  EXPECT_EQ(forced(), "{}");
}

TEST_F(ThoughtBudgetTest, TokensCanBeTakenBack) {
  options_.begins_in_thought = true;
  options_.tokens_max = 4;
  options_.inner = std::make_shared<OneText>("{}");
  begin();
  say("a</t>{");
  EXPECT_EQ(forced(), "}");
  ASSERT_TRUE(state_->roll_back(1).is_ok());
  EXPECT_EQ(forced(), "{}");
  ASSERT_TRUE(state_->roll_back(2).is_ok());
  EXPECT_EQ(forced(), "");
  EXPECT_TRUE(has(mask(), 'x')) << "a thought again";
  say("x");
  EXPECT_EQ(forced(), "!</t>");
  ASSERT_TRUE(state_->roll_back(4).is_ok());
  say("</t>{}");
  EXPECT_TRUE(state_->is_over());
}

}  // namespace
}  // namespace quire
