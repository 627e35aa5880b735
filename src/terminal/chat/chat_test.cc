// A chat with a scripted executor in place of a model: what it asks, shows, keeps and refuses.
#include "terminal/chat/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/script_executor.h"
#include "text/testing/byte_tokenizer.h"

namespace quire {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kContext = 4096;
constexpr std::uint32_t kBlockTokens = 32;

ChatPartner partner_of(std::uint32_t context_max = kContext) {
  ScriptOptions script{.capacity = script_capacity(2 * context_max / kBlockTokens, kBlockTokens)};
  script.capacity.context_max = context_max;
  script.capacity.vocab = kTestVocab;
  ChatPartner partner;
  partner.facts.name = "script";
  partner.facts.context_max = context_max;
  partner.tokenizer = make_test_tokenizer();
  partner.chat_template = *ChatTemplate::compile(kTestChatTemplate);
  partner.options.scheduler.context_max = context_max;
  partner.options.is_checking_invariants = true;
  partner.executor = std::make_unique<ScriptExecutor>(std::move(script));
  return partner;
}

SamplingParams some_tokens(int count) {
  SamplingParams params;
  params.tokens_max = count;
  return params;
}

// Shows nothing to nobody.
ChatObserver nobody() {
  return {[](std::string_view) {}, {}, [](std::uint64_t, std::uint64_t) {}, [] { return false; }};
}

TEST(ChatTest, AnAnswerStreamsAndTheNextTurnComputesWhatIsNew) {
  Chat chat(partner_of());
  std::vector<ChatMessage> messages = {{"user", std::string(300, 'a')}};
  std::string shown;
  ChatObserver observer = nobody();
  observer.show = [&](std::string_view text) { shown += text; };
  const auto first = chat.answer(messages, some_tokens(12), observer);
  ASSERT_TRUE(first.is_ok()) << first.status().message();
  EXPECT_EQ(first->text, shown);
  EXPECT_EQ(first->usage.generated_tokens, 12u);
  EXPECT_EQ(first->usage.cached_tokens, 0u);
  EXPECT_EQ(first->finish, FinishReason::kLength);

  messages.push_back({"assistant", "b"});  // what a template makes of an answer is not its tokens
  messages.push_back({"user", "c"});
  const auto second = chat.answer(messages, some_tokens(1), nobody());
  ASSERT_TRUE(second.is_ok()) << second.status().message();
  const std::uint32_t before = first->usage.prompt_tokens;
  EXPECT_GT(second->usage.cached_tokens + kBlockTokens, before);
  EXPECT_LE(second->usage.cached_tokens, before);
}

// Every token's text is a thought until the third.
class ThreeThoughts final : public AnswerPieces {
 public:
  std::vector<AnswerPiece> take(const TokenEvent& event) override {
    std::vector<AnswerPiece> pieces;
    for (const char c : event.text) pieces.push_back({++seen_ <= 3, std::string(1, c)});
    return pieces;
  }

 private:
  int seen_ = 0;
};

TEST(ChatTest, ThoughtsAreShownApartAndAreNoPartOfTheAnswer) {
  ChatPartner partner = partner_of();
  partner.not_thinking = {{"enable_thinking", false}};
  partner.chat_template = *ChatTemplate::compile(
      "{% if enable_thinking is defined %}quiet {% endif %}"
      "{% for m in messages %}{{ m.content }}{% endfor %}");
  std::size_t prompt_tokens = 0;
  partner.pieces = [&](std::span<const TokenId> prompt, SamplingParams&) {
    prompt_tokens = prompt.size();
    return std::make_unique<ThreeThoughts>();
  };
  Chat chat(std::move(partner));
  const std::vector<ChatMessage> messages = {{"user", "hello"}};
  std::string shown, thought;
  ChatObserver observer = nobody();
  observer.show = [&](std::string_view text) { shown += text; };
  observer.show_thought = [&](std::string_view text) { thought += text; };
  const auto answer = chat.answer(messages, some_tokens(12), observer);
  ASSERT_TRUE(answer.is_ok()) << answer.status().message();
  EXPECT_EQ(thought.size(), 3u);
  EXPECT_EQ(answer->text, shown);
  EXPECT_EQ(prompt_tokens, 5u);
  ASSERT_TRUE(chat.answer(messages, some_tokens(1), observer, false).is_ok());
  EXPECT_EQ(prompt_tokens, 11u) << "the template was asked for no thought";
}

TEST(ChatTest, AStoppedAnswerKeepsItsBeginning) {
  Chat chat(partner_of(1 << 17));
  ChatObserver observer = nobody();
  std::string shown;
  observer.show = [&](std::string_view text) { shown += text; };
  observer.is_stopped = [&] { return shown.size() > 2; };
  const std::vector<ChatMessage> messages = {{"user", "tell me all"}};
  const auto answer = chat.answer(messages, some_tokens(-1), observer);
  ASSERT_TRUE(answer.is_ok()) << answer.status().message();
  EXPECT_EQ(answer->finish, FinishReason::kCancelled);
  EXPECT_EQ(answer->text, shown);
  EXPECT_LT(answer->usage.generated_tokens, (1u << 17) - 100);
}

TEST(ChatTest, WithoutATemplateTheLastMessageIsThePrompt) {
  ChatPartner partner = partner_of();
  partner.chat_template = nullptr;
  Chat chat(std::move(partner));
  const std::vector<ChatMessage> messages = {{"user", "forgotten"}, {"user", "five!"}};
  const auto answer = chat.answer(messages, some_tokens(1), nobody());
  ASSERT_TRUE(answer.is_ok()) << answer.status().message();
  EXPECT_EQ(answer->usage.prompt_tokens, 5u);
}

TEST(ChatTest, WhatCannotBeAskedIsRefusedAndTheChatGoesOn) {
  Chat chat(partner_of(256));
  const std::vector<ChatMessage> broken = {{"user", "a\xFF"}};
  EXPECT_THAT(chat.answer(broken, some_tokens(1), nobody()).status().message(),
              HasSubstr("not UTF-8 at byte 1"));
  const std::vector<ChatMessage> long_one = {{"user", std::string(300, 'a')}};
  const auto refused = chat.answer(long_one, some_tokens(1), nobody());
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.status().message(), HasSubstr("256"));
  const std::vector<ChatMessage> good = {{"user", "a"}};
  const auto answer = chat.answer(good, some_tokens(1000), nobody());
  ASSERT_TRUE(answer.is_ok()) << answer.status().message();
  EXPECT_EQ(answer->usage.prompt_tokens + answer->usage.generated_tokens, 256u);
}

}  // namespace
}  // namespace quire
