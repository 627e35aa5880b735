// /set: names, bounds, suggestions, and the way back.
#include "terminal/chat/chat_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quire {
namespace {

using testing::HasSubstr;

// What /set answers: the sentence, or the error behind "! ".
std::string set(const char* line, ChatSettings& settings) {
  const auto said = change_setting(line, ChatSettings{}, settings);
  return said.is_ok() ? *said : "! " + said.status().message();
}

TEST(ChatSettingsTest, ValuesAreSet) {
  ChatSettings settings;
  EXPECT_EQ(set("temperature 0.25", settings), "temperature is 0.25");
  EXPECT_EQ(set("parameter top_k 40", settings), "top_k is 40");
  EXPECT_EQ(set("num_predict 12", settings), "max_tokens is 12");
  EXPECT_EQ(set("repeat_penalty 1.1", settings), "repetition_penalty is 1.1");
  EXPECT_EQ(set("seed 7", settings), "seed is 7");
  EXPECT_EQ(set("system  You are terse.\nAlways. ", settings), "system is You are terse....");
  EXPECT_EQ(set("verbose", settings), "verbose: figures after each answer");
  EXPECT_FLOAT_EQ(settings.sampling.temperature, 0.25f);
  EXPECT_EQ(settings.sampling.top_k, 40);
  EXPECT_EQ(settings.sampling.tokens_max, 12);
  EXPECT_EQ(settings.seed, 7u);
  EXPECT_EQ(settings.system, "You are terse.\nAlways.");
  EXPECT_TRUE(settings.is_verbose);

  EXPECT_EQ(set("temperature default", settings), "temperature is 0.7");
  EXPECT_EQ(set("seed random", settings), "seed is random");
  EXPECT_EQ(set("quiet", settings), "quiet: no figures");
  EXPECT_FALSE(settings.seed.has_value());
  EXPECT_FALSE(settings.is_verbose);
}

TEST(ChatSettingsTest, NothingIsIgnoredInSilence) {
  ChatSettings settings;
  EXPECT_THAT(set("temprature 1", settings), HasSubstr("did you mean 'temperature'?"));
  EXPECT_THAT(set("verbos", settings), HasSubstr("did you mean 'verbose'?"));
  EXPECT_THAT(set("kubernetes 1", settings), HasSubstr("! there is no setting 'kubernetes'; /set"));
  EXPECT_THAT(set("num_ctx 4096", settings), HasSubstr("! the context is chosen at the start"));
  EXPECT_THAT(set("temperature 3", settings), HasSubstr("! temperature is a number from 0 to 2"));
  EXPECT_THAT(set("temperature nan", settings), HasSubstr("! temperature is a number"));
  EXPECT_THAT(set("temperature 1,5", settings), HasSubstr("! temperature is a number"));
  EXPECT_THAT(set("top_p -0.1", settings), HasSubstr("! top_p is a number from 0 to 1"));
  EXPECT_THAT(set("top_k 1.5", settings), HasSubstr("! top_k is a whole number"));
  EXPECT_THAT(set("max_tokens 0", settings), HasSubstr("! max_tokens is a whole number from 1"));
  EXPECT_THAT(set("seed -1", settings), HasSubstr("! seed is a whole number"));
  EXPECT_THAT(set("verbose off", settings), HasSubstr("! /set verbose takes no value"));
  EXPECT_THAT(set("temperature", settings), HasSubstr("! /set temperature needs a value (it is 0"));
  EXPECT_THAT(set("", settings), HasSubstr("! /set NAME VALUE"));
  EXPECT_EQ(setting_values(settings), setting_values(ChatSettings{}));
}

TEST(ChatSettingsTest, ValuesReadBackAsTheyWere) {
  ChatSettings settings;
  for (const char* line : {"temperature 0.1", "top_p 0.3", "top_k 5", "min_p 0.05", "seed 99",
                           "max_tokens -1", "stop \\n\\n", "system Be brief.",
                           "frequency_penalty -0.5"}) {
    ASSERT_THAT(set(line, settings), testing::Not(HasSubstr("! "))) << line;
  }
  ChatSettings copy;
  for (const auto& [name, value] : setting_values(settings)) {
    ASSERT_TRUE(set_value(name, value, copy).is_ok()) << name;
  }
  EXPECT_EQ(setting_values(copy), setting_values(settings));
  EXPECT_FALSE(set_value("no_such", "1", copy).is_ok());
}

TEST(ChatSettingsTest, PageFitsATerminal) {
  const std::string page = settings_page(ChatSettings{});
  std::size_t start = 0;
  for (std::size_t end; (end = page.find('\n', start)) != std::string::npos; start = end + 1) {
    EXPECT_LE(end - start, 80u) << page.substr(start, end - start);
  }
  for (const char* name : {"temperature", "max_tokens", "system", "verbose, quiet"}) {
    EXPECT_THAT(page, HasSubstr(name));
  }
}

}  // namespace
}  // namespace quire
