// Session: what a client sees of the tokens of one branch; a token is a byte here.
#include "engine/session.h"

#include <gtest/gtest.h>

#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

constexpr TokenId kEos = 257;  // a control token of the test vocabulary

// One branch whose tokens come in as strings.
class Branch {
 public:
  explicit Branch(SamplingParams params, std::vector<TokenId> prompt = {'a', 'b'}) {
    request_.prompt = std::move(prompt);
    request_.params = std::move(params);
    session_.emplace(request_, 0, tokenizer_.get(), eos_ids_);
  }
  TokenEvent take(std::vector<TokenId> tokens, bool is_at_end = false) {
    Progress progress;
    progress.accepted = std::move(tokens);
    progress.is_at_end = is_at_end;
    if (request_.params.logprobs >= 0) progress.scores.resize(progress.accepted.size());
    return session_->accept(std::move(progress));
  }
  TokenEvent take(std::string_view text, bool is_at_end = false) {
    std::vector<TokenId> tokens;
    for (const char byte : text) tokens.push_back(static_cast<unsigned char>(byte));
    return take(std::move(tokens), is_at_end);
  }
  Session& session() { return *session_; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_ = byte_level_tokenizer();
  std::vector<TokenId> eos_ids_ = {kEos};
  Request request_;
  std::optional<Session> session_;
};

TEST(Session, ShowsWholeCharacters) {
  Branch branch({});
  EXPECT_EQ(branch.take("x\xC3").text, "x");
  EXPECT_EQ(branch.take("\xA9").text, "\xC3\xA9");
  const TokenEvent last = branch.take("\xE2", true);
  EXPECT_EQ(last.text, "\uFFFD");
  EXPECT_EQ(last.finish, FinishReason::kLength);
  EXPECT_EQ(last.usage.generated_tokens, 4u);
  EXPECT_EQ(last.usage.prompt_tokens, 2u);
}

// As in vLLM: what is included is whatever ended the text, string or token.
TEST(Session, AStopTokenIsShownWhereItIsToBeIncluded) {
  for (const bool is_included : {false, true}) {
    SamplingParams params;
    params.stop_ids = {'.'};
    params.stop_strings = {"never"};
    params.include_stop = is_included;
    Branch branch(params);
    const TokenEvent event = branch.take("hi. x");
    EXPECT_EQ(event.text, is_included ? "hi." : "hi");
    EXPECT_EQ(event.finish, FinishReason::kStop);
    EXPECT_EQ(event.stop_token, '.');
    Branch at_eos(params);
    EXPECT_EQ(at_eos.take({'h', kEos}).text, "h") << "control tokens are not shown";
  }
}

TEST(Session, ATextThatGoesInCirclesEndsWhereTheRequestWantsIt) {
  SamplingParams params;
  params.repetition = {.pattern_min = 2, .pattern_max = 4, .count = 3};
  Branch branch(params);
  EXPECT_EQ(branch.take("aaaaa").finish, FinishReason::kNone) << "the pattern has two tokens";
  const TokenEvent event = branch.take("a?");
  EXPECT_EQ(event.finish, FinishReason::kRepetition);
  EXPECT_EQ(event.text, "a");
  EXPECT_EQ(event.usage.generated_tokens, 6u);
  Branch longer(params);
  EXPECT_EQ(longer.take("xyzabcabcab").finish, FinishReason::kNone);
  EXPECT_EQ(longer.take("c").finish, FinishReason::kRepetition);
  Branch too_long(params);
  EXPECT_EQ(too_long.take("abcdeabcdeabcde").finish, FinishReason::kNone);
  params.tokens_min = 8;
  Branch later(params);
  EXPECT_EQ(later.take("aaaaaaa").finish, FinishReason::kNone);
  EXPECT_EQ(later.take("a").finish, FinishReason::kRepetition);
}

TEST(Session, EosEndsWithoutText) {
  Branch branch({});
  const TokenEvent event = branch.take({'h', 'i', kEos, 'x'});
  EXPECT_EQ(event.text, "hi");
  EXPECT_EQ(event.finish, FinishReason::kStop);
  EXPECT_EQ(event.stop_token, kEos);
  EXPECT_EQ(event.accepted, (std::vector<TokenId>{'h', 'i', kEos}));
  EXPECT_EQ(event.usage.generated_tokens, 3u);
  EXPECT_TRUE(branch.session().has_ended());
}

TEST(Session, IgnoredEosGoesOnAndStopIdsDoNot) {
  Branch branch({.stop_ids = {'q'}, .ignore_eos = true});
  EXPECT_EQ(branch.take({'h', kEos, 'i'}).finish, FinishReason::kNone);
  const TokenEvent event = branch.take("xq");
  EXPECT_EQ(event.stop_token, 'q');
  EXPECT_EQ(event.text, "x");
}

TEST(Session, AStopStringIsCutAndWhatFollowsIsDropped) {
  Branch branch({.logprobs = 0, .stop_strings = {"never", "END"}});
  EXPECT_EQ(branch.take("abcE").text, "abc");  // the E is held back
  EXPECT_EQ(branch.take("N").text, "");
  const TokenEvent event = branch.take("Dxyz", true);
  EXPECT_EQ(event.text, "");
  EXPECT_EQ(event.finish, FinishReason::kStop);
  EXPECT_EQ(event.stop_string, "END");
  EXPECT_EQ(event.accepted.size(), 1u);
  EXPECT_EQ(event.scores.size(), 1u);
  EXPECT_EQ(event.usage.generated_tokens, 6u);
}

TEST(Session, AStopStringMayBeKept) {
  Branch branch({.stop_strings = {"END"}, .include_stop = true});
  EXPECT_EQ(branch.take("abENDx").text, "abEND");
}

TEST(Session, HeldTextIsShownWhenItWasNoStop) {
  Branch branch({.stop_strings = {"END"}});
  EXPECT_EQ(branch.take("aEN").text, "a");
  EXPECT_EQ(branch.take("x").text, "ENx");
  EXPECT_EQ(branch.take("EN").text, "");
  EXPECT_EQ(branch.take("", true).text, "EN");
}

TEST(Session, HeldTextIsShownAtACancel) {
  Branch branch({.stop_strings = {"END"}});
  branch.take("aEN");
  const TokenEvent event = branch.session().end(FinishReason::kCancelled, "");
  EXPECT_EQ(event.text, "EN");
  EXPECT_EQ(event.finish, FinishReason::kCancelled);
  EXPECT_EQ(event.usage.generated_tokens, 3u);
}

TEST(Session, BeforeTokensMinNothingStops) {
  Branch branch({.tokens_min = 4, .stop_strings = {"END"}});
  EXPECT_EQ(branch.take("ENDx").text, "ENDx");
  EXPECT_EQ(branch.take("END").finish, FinishReason::kStop);
}

TEST(Session, SpecialTokensAreShownIfAsked) {
  EXPECT_EQ(Branch({.ignore_eos = true}).take({'a', kEos}).text, "a");
  EXPECT_EQ(Branch({.ignore_eos = true, .skip_special_tokens = false}).take({'a', kEos}).text,
            "a<|end|>");
  EXPECT_EQ(Branch({.ignore_eos = true, .shown_tokens = {kEos}}).take({'a', kEos}).text,
            "a<|end|>");
  EXPECT_EQ(Branch({.ignore_eos = true, .shown_tokens = {'a'}}).take({'a', kEos}).text, "a");
}

TEST(Session, PromptScoresComeOnceAndTogether) {
  Branch branch({.prompt_logprobs = 0}, {'a', 'b', 'c', 'd'});
  Progress chunk;
  chunk.prompt_scores = 2;
  chunk.scores.resize(2);
  EXPECT_TRUE(branch.session().accept(std::move(chunk)).prompt_scores.empty());
  Progress last;
  last.prompt_scores = 1;
  last.scores.resize(1);
  last.scores[0].token = 'd';
  last.accepted = {'x'};
  const TokenEvent event = branch.session().accept(std::move(last));
  ASSERT_EQ(event.prompt_scores.size(), 3u);
  EXPECT_EQ(event.prompt_scores[2].token, 'd');
  EXPECT_TRUE(event.scores.empty());
}

TEST(Session, StopStringsAreCheckedBeforehand) {
  const auto tokenizer = byte_level_tokenizer();
  Request request;
  EXPECT_TRUE(Session::check(request, nullptr).is_ok());
  request.params.stop_strings = {"x"};
  EXPECT_TRUE(Session::check(request, tokenizer.get()).is_ok());
  EXPECT_FALSE(Session::check(request, nullptr).is_ok());
  request.params.stop_strings = {""};
  EXPECT_FALSE(Session::check(request, tokenizer.get()).is_ok());
}

}  // namespace
}  // namespace quire
