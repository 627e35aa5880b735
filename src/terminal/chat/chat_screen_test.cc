// What is said after an answer.
#include "terminal/chat/chat_screen.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

ChatAnswer example(FinishReason finish) {
  ChatAnswer answer;
  answer.usage = {.prompt_tokens = 412, .cached_tokens = 384, .generated_tokens = 101};
  answer.finish = finish;
  answer.first_token_seconds = 0.02;
  answer.decode_seconds = 0.5;
  return answer;
}

TEST(ChatScreenTest, FiguresAddUp) {
  EXPECT_EQ(figures_text(example(FinishReason::kStop)),
            "412 prompt tokens: 384 cached, 28 computed at 1400 tokens/s;\n"
            " first token after 20 ms; 101 generated at 200.0 tokens/s; end: stop");
  ChatAnswer empty = example(FinishReason::kCancelled);
  empty.usage.generated_tokens = 0;
  EXPECT_NE(figures_text(empty).find("; 0 generated; end: cancelled"), std::string::npos)
      << figures_text(empty);
}

TEST(ChatScreenTest, SaysWhyAnAnswerEndedEarly) {
  EXPECT_EQ(early_end_text(example(FinishReason::kStop), 1000), "");
  EXPECT_EQ(early_end_text(example(FinishReason::kCancelled), 1000), "[stopped]");
  EXPECT_EQ(early_end_text(example(FinishReason::kLength), 1000), "[cut at max_tokens, after 101]");
  EXPECT_EQ(early_end_text(example(FinishReason::kLength), 513),
            "[cut: the context of 513 tokens is full]");
}

}  // namespace
}  // namespace quire
