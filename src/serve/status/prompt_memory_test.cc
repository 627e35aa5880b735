#include "serve/status/prompt_memory.h"

#include <gtest/gtest.h>

#include <numeric>

namespace quire {
namespace {

std::vector<TokenId> count_to(TokenId end) {
  std::vector<TokenId> tokens(static_cast<std::size_t>(end));
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

TEST(PromptMemory, NamesTheFirstTokenThatDiffers) {
  PromptMemory memory;
  EXPECT_FALSE(memory.compare("a", count_to(5)));
  memory.keep("a", "one", count_to(100));
  std::vector<TokenId> changed = count_to(100);
  changed[40] = 7;
  const auto difference = memory.compare("a", changed);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->at, 40u);
  EXPECT_EQ(difference->earlier_id, "one");
  EXPECT_EQ(difference->earlier_tokens, 100u);
  ASSERT_EQ(difference->had.size(), PromptDifference::kShown);
  EXPECT_EQ(difference->had[0], 40);
  EXPECT_EQ(difference->has[0], 7);
  EXPECT_FALSE(memory.compare("b", changed)) << "another client's prompts are not looked at";
}

TEST(PromptMemory, TheNearestPromptCountsAndOfSeveralTheNewest) {
  PromptMemory memory;
  memory.keep("a", "one", count_to(50));
  memory.keep("a", "two", count_to(20));
  memory.keep("a", "three", count_to(50));
  const auto longer = memory.compare("a", count_to(60));
  EXPECT_EQ(longer->earlier_id, "three");
  EXPECT_EQ(longer->at, 50u);
  EXPECT_TRUE(longer->had.empty()) << "the earlier prompt is a beginning of this one";
}

TEST(PromptMemory, IsBoundedInPromptsAndTokens) {
  PromptMemory memory;
  for (int i = 0; i < 200; ++i) memory.keep("a", std::to_string(i), count_to(10));
  EXPECT_EQ(memory.tokens(), 10 * PromptMemory::kPromptsMax);
  const std::vector<TokenId> most(PromptMemory::kTokensMax, 1);
  memory.keep("a", "most", most);
  EXPECT_EQ(memory.tokens(), PromptMemory::kTokensMax);
  memory.keep("a", "more", std::vector<TokenId>(PromptMemory::kTokensMax + 1, 1));
  EXPECT_EQ(memory.compare("a", most)->earlier_id, "most");
}

}  // namespace
}  // namespace quire
