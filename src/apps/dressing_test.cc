// What a Modelfile says is what a chat at the terminal begins with.
#include "apps/dressing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quire {
namespace {

using ::testing::HasSubstr;

TEST(DressingTest, AChatBeginsAsTheModelfileSays) {
  store::ModelDress dress;
  dress.system = "Be brief.";
  dress.messages = {Json::object({{"role", "user"}, {"content", "Hi"}}),
                    Json::object({{"role", "assistant"}, {"content", "Ho"}})};
  dress.parameters = Json::object({{"temperature", 0.5}, {"num_predict", 24}, {"top_k", 3},
                                   {"repeat_penalty", 1.25}, {"seed", 7}, {"num_ctx", 512},
                                   {"stop", Json::array({"<a>", "<b>"})}});
  ChatState state;
  const std::vector<std::string> complaints = put_on(dress, state);
  ASSERT_EQ(complaints.size(), 1u);
  EXPECT_THAT(complaints.front(), HasSubstr("PARAMETER num_ctx 512 of the Modelfile has"));
  EXPECT_EQ(state.settings.system, "Be brief.");
  EXPECT_EQ(state.settings.sampling.temperature, 0.5F);
  EXPECT_EQ(state.settings.sampling.tokens_max, 24);
  EXPECT_EQ(state.settings.sampling.top_k, 3);
  EXPECT_EQ(state.settings.sampling.repetition_penalty, 1.25F);
  EXPECT_EQ(state.settings.seed, 7u);
  EXPECT_EQ(state.settings.sampling.stop_strings, (std::vector<std::string>{"<a>", "<b>"}));
  ASSERT_EQ(state.messages.size(), 2u);
  EXPECT_EQ(state.messages[1].role, "assistant");
  EXPECT_EQ(state.messages[1].content, "Ho");
  ChatState plain;
  EXPECT_TRUE(put_on(store::ModelDress(), plain).empty());
  EXPECT_EQ(setting_values(plain.settings), setting_values(ChatSettings()));
}

TEST(DressingTest, ItsTemplateTakesThePlaceOfTheFiles) {
  store::ModelDress dress;
  ModelWords words;
  words.chat_problem = "none of its own";
  EXPECT_TRUE(put_on(dress, words).is_ok());
  EXPECT_EQ(words.chat_template, nullptr);
  EXPECT_EQ(words.chat_problem, "none of its own");
  dress.chat_template = "{{ .Prompt }}";
  ASSERT_TRUE(put_on(dress, words).is_ok());
  EXPECT_EQ(words.chat_template->source(), "{{ .Prompt }}");
  EXPECT_EQ(words.chat_problem, "");
  dress.chat_template = "{{ nope }}";
  EXPECT_THAT(put_on(dress, words).message(), HasSubstr("the TEMPLATE of its Modelfile: "));
}

}  // namespace
}  // namespace quire
